"""Orders of gifts, as Till, the payment provider, tells of them: twice, late, in any order, some never.

So what Till tells is not all that is gone by: `reconciled` has what is done about the rest.
"""

from __future__ import annotations

from chirp.events import OrderPaid, OrderPaidInFractions, OrderRefunded, OrderShipped
from tidings import Service

orders = Service("orders", emits=[OrderPaid, OrderPaidInFractions])


@orders.view(key=("order_id",))
class Order:
    """A copy of what Till has, and so without folds: see `reconciled`."""

    order_id: str
    user_id: str
    item: str
    state: str
    paid: int
    refunded: int
    revision: int


@orders.view(key=("user_id",))
class Account:
    """What each user has paid and got back. `orders`: of each one its revision, and both sums as of then.

    Sums of what changed would stay wrong for ever after one lost event; sums of states are right after the next one.
    """

    user_id: str
    paid: int
    refunded: int
    orders: dict[str, tuple[int, int, int]]


@orders.fold(Account, OrderPaid)
def charged(row: Account | None, event: OrderPaid) -> Account:
    return _counted(row, event)


@orders.fold(Account, OrderShipped)
def kept(row: Account | None, event: OrderShipped) -> Account:
    return _counted(row, event)


@orders.fold(Account, OrderRefunded)
def given_back(row: Account | None, event: OrderRefunded) -> Account:
    return _counted(row, event)


def _counted(row: Account | None, event: OrderPaid | OrderShipped | OrderRefunded) -> Account:
    orders = {} if row is None else row.orders
    said = (event.revision, event.paid, event.refunded)
    orders = dict(sorted((orders | {event.order_id: max(said, orders.get(event.order_id, said))}).items()))
    paid, refunded = (sum(each[n] for each in orders.values()) for n in (1, 2))
    return Account(event.user_id, paid, refunded, orders)
