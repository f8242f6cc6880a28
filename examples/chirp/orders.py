"""Orders of gifts, as Till, the payment provider, tells of them: twice, late, in any order, by a clock of its own.

Till counts the revisions of each order. That count, and no clock, says what came after what.
"""

from __future__ import annotations

from chirp.events import OrderCancelled, OrderPaid, OrderPaidInFractions, OrderPlaced, OrderRefunded, OrderShipped
from tidings import Service

orders = Service("orders", emits=[OrderPaid, OrderPaidInFractions])


@orders.view(key=("order_id",), rank="revision")
class Order:
    order_id: str
    user_id: str
    item: str
    state: str
    paid: int
    refunded: int
    revision: int


@orders.fold(Order, OrderPlaced)
def placed(row: Order | None, event: OrderPlaced) -> Order:
    return Order(event.order_id, event.user_id, event.item, "placed", 0, 0, event.revision)


@orders.fold(Order, OrderPaid)
def paid(row: Order | None, event: OrderPaid) -> Order | None:
    return row and _moved(row, "paid", event.revision, paid=event.cents)


@orders.fold(Order, OrderShipped)
def shipped(row: Order | None, event: OrderShipped) -> Order | None:
    return row and _moved(row, "shipped", event.revision)


@orders.fold(Order, OrderRefunded)
def refunded(row: Order | None, event: OrderRefunded) -> Order | None:
    return row and _moved(row, "refunded", event.revision, refunded=event.cents)


@orders.fold(Order, OrderCancelled)
def cancelled(row: Order | None, event: OrderCancelled) -> Order | None:
    return row and _moved(row, "cancelled", event.revision)


def _moved(row: Order, state: str, revision: int, *, paid: int = 0, refunded: int = 0) -> Order:
    return Order(row.order_id, row.user_id, row.item, state, row.paid + paid, row.refunded + refunded, revision)


@orders.view(key=("user_id",))
class Account:
    """What each user has paid and got back, over all orders: sums, to which the order of events means nothing."""

    user_id: str
    paid: int
    refunded: int


@orders.fold(Account, OrderPaid)
def charged(row: Account | None, event: OrderPaid) -> Account:
    kept = row or Account(event.user_id, 0, 0)
    return Account(event.user_id, kept.paid + event.cents, kept.refunded)


@orders.fold(Account, OrderRefunded)
def given_back(row: Account | None, event: OrderRefunded) -> Account:
    kept = row or Account(event.user_id, 0, 0)
    return Account(event.user_id, kept.paid, kept.refunded + event.cents)
