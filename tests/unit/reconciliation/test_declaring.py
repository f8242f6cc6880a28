"""What may be said to be reconciled, and that what cannot be is refused where it is said, with what to write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.reconciliation.declared import facts
from tests.unit.reconciliation.shop import Order, OrderGone, Orders, OrderSeen, Provider, orders_service
from tidings import App, Delivery, Service
from tidings.errors import DeclarationError
from tidings.reconciliation.listing import Row
from tidings.reconciliation.outbound.party.holds import Holds
from tidings.reconciliation.rules.facts import Capability, Rate
from tidings.testing.clock import StandingClock

EVENTS = [OrderSeen, OrderGone]
SECOND = timedelta(seconds=1)


def adapter(**changed: Any) -> Any:
    """Return an adapter some of whose members are others; None: it lacks that one."""
    whole = Orders(Provider(StandingClock()))
    names = ("facts", "list_page", "list_changed", "get_one", "cursor_after", "observed", "deleted", "read")
    members = {name: getattr(whole, name) for name in names} | changed
    return SimpleNamespace(**{name: member for name, member in members.items() if member is not None})


def reconciled(
    listing: Any = None, *, name: Any = "till-orders", view: Any = Order, events: Any = EVENTS, **more: Any
) -> Any:
    """Say that orders are reconciled, as `more` says."""
    return App(orders_service()).reconcile(name, Order, listing or adapter(), events=events, **more)


async def item(key: str) -> Any: ...
async def nothing(**given: Any) -> Any: ...
async def page(*, cursor: str | None) -> Any: ...
async def paged(*, cursor: str | None, limit: int) -> AsyncIterator[Any]:
    yield None


@pytest.mark.parametrize(
    ("changed", "taught"),
    [
        ({"list_page": None}, r"list_page.*write `async def list_page\(self, \*, cursor, limit\)`"),
        ({"list_page": 5}, r"list_page.*write `async def list_page"),
        ({"list_page": lambda *, cursor, limit: None}, r"list_page.*must be async: write `async def list_page"),
        ({"list_page": paged}, r"list_page.*is a generator: write `async def list_page"),
        ({"list_page": page}, r"list_page.*write `async def list_page\(self, \*, cursor, limit\)`"),
        ({"get_one": None}, r"get_one.*write `async def get_one\(self, key\)`"),
        ({"get_one": lambda key: None}, r"get_one.*must be async"),
        ({"get_one": nothing}, r"get_one.*write `async def get_one\(self, key\)`"),
        ({"observed": None}, r"observed.*write `def observed\(self, row\)`"),
        ({"observed": item}, r"observed.*must not be async: write `def observed"),
        ({"deleted": None}, r"deleted.*write `def deleted\(self, key\)`"),
        ({"deleted": item}, r"deleted.*must not be async"),
        ({"read": None}, r"read.*write `def read\(self, event, envelope\)`"),
        ({"read": lambda event: None}, r"read.*write `def read\(self, event, envelope\)`"),
        ({"facts": None}, r"facts.*write facts = ProviderFacts\("),
        ({"facts": {"page_limit": 5}}, r"facts.*write facts = ProviderFacts\("),
        (
            {"facts": facts(filters_by_change=True), "list_changed": None},
            r"filters_by_change=True.*write `async def list_changed\(self, \*, since, cursor, limit\)`",
        ),
        (
            {"facts": facts(seekable=True), "cursor_after": None},
            r"seekable=True.*write `def cursor_after\(self, order_key\)`",
        ),
        ({"facts": facts(seekable=True), "cursor_after": item}, r"cursor_after.*must not be async"),
    ],
)
def test_an_adapter_that_cannot_be_asked_is_refused(changed: dict[str, Any], taught: str) -> None:
    with pytest.raises(DeclarationError, match=f"^till-orders: .*{taught}"):
        reconciled(adapter(**changed))


def test_what_is_not_declared_needs_not_be_there() -> None:
    bare = facts(seekable=False, filters_by_change=False)
    reconciled(adapter(facts=bare, cursor_after=None, list_changed=None))


def test_a_class_is_no_adapter() -> None:
    with pytest.raises(DeclarationError, match=r"^till-orders: Orders is a class: write Orders\(…\)"):
        reconciled(Orders)


@pytest.mark.parametrize("name", [5, None, "", "Till", "a b", "-till", "t" * 64])
def test_a_scope_has_a_name(name: Any) -> None:
    with pytest.raises(DeclarationError, match="is no name of a scope: use small letters"):
        reconciled(name=name)


@pytest.mark.parametrize("every", [5, 5.0, b"0 3 * * *", [SECOND, SECOND], "* * * * * *", timedelta.max])
def test_what_names_no_times_is_refused(every: Any) -> None:
    with pytest.raises(
        DeclarationError, match=r"^till-orders: every=.*write .*timedelta\(minutes=10\).*'0 3 \* \* \*'"
    ):
        reconciled(every=every)


@pytest.mark.parametrize("every", [(SECOND,), (SECOND,) * 3, ()])
def test_times_are_one_or_a_pair(every: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^till-orders: every=.*a pair is of the whole list and of what has"):
        reconciled(every=every)


@pytest.mark.parametrize("account", [5, None])
def test_an_account_is_a_text(account: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^till-orders: account=.*write account='till'"):
        reconciled(account=account)


@pytest.mark.parametrize("events", [OrderSeen, None, 5, []])
def test_events_are_classes_of_events(events: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^till-orders: name the event classes .* events=\[…\]"):
        reconciled(events=events)


def test_a_name_is_given_once() -> None:
    app = App(orders_service())
    app.reconcile("till-orders", Order, adapter(), events=EVENTS)
    with pytest.raises(DeclarationError, match="two scopes are named 'till-orders': give one of them another name"):
        app.reconcile_endpoint("till-orders", "till", adapter(facts=facts(capability=Capability.EVENT_TIMED)))


def test_a_view_is_the_copy_of_one_scope() -> None:
    app = App(orders_service())
    app.reconcile("till-orders", Order, adapter(), events=EVENTS)
    with pytest.raises(DeclarationError, match=r"^other-orders: .*is the copy of till-orders.*a view of its own"):
        app.reconcile("other-orders", Order, adapter(), events=EVENTS)


def test_scopes_of_one_account_declare_one_rate() -> None:
    app = App(orders_service())
    app.reconcile("till-orders", Order, adapter(), events=EVENTS, account="till")
    slower = adapter(facts=facts(capability=Capability.EVENT_TIMED, rate=Rate(per_second=1, burst=1)))
    with pytest.raises(DeclarationError, match=r"^till-webhooks: .*rate.*till-orders.*of the account till.*write one"):
        app.reconcile_endpoint("till-webhooks", "till", slower, account="till")
    app.reconcile_endpoint("till-webhooks", "till", slower, account="till-reports")


def sent(endpoint: Any = "till", listing: Any = None, **more: Any) -> Any:
    """Say that what an endpoint was sent is compared."""
    timed = adapter(facts=facts(capability=Capability.EVENT_TIMED)) if listing is None else listing
    return App(orders_service()).reconcile_endpoint("till-webhooks", endpoint, timed, **more)


@pytest.mark.parametrize("endpoint", ["", 5, None, "a b", "-a"])
def test_an_endpoint_is_named_by_its_id(endpoint: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^till-webhooks: endpoint=.*is no id of an endpoint: .*letters"):
        sent(endpoint)


@pytest.mark.parametrize("window", [5, None, timedelta(0), -SECOND, timedelta.max])
def test_a_window_is_a_span_of_time(window: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^till-webhooks: window=.*write timedelta\("):
        sent(window=window)


def test_what_has_changed_is_no_list_of_an_endpoint() -> None:
    with pytest.raises(DeclarationError, match=r"^till-webhooks: every=.*write .*timedelta\(minutes=10\)"):
        sent(every=(SECOND, SECOND))


def test_a_receiver_is_asked_for_one_delivery_too() -> None:
    with pytest.raises(DeclarationError, match=r"^till-webhooks: .*write `async def get_one\(self, key\)`"):
        sent(listing=adapter(facts=facts(capability=Capability.EVENT_TIMED), get_one=None))


def held(holds: Any = None, listing: Any = None, **changed: Any) -> Any:
    """Say what a party should hold, as `changed` says."""
    shop = Service("shop")

    @shop.delivery
    async def push(order: OrderSeen, delivery: Delivery) -> None: ...

    said: dict[str, Any] = {"by": push, "key": "order_id", "fields": {"amount": "ours"}, **changed}
    timed = adapter(facts=facts(capability=Capability.EVENT_TIMED)) if listing is None else listing
    return App(shop).reconcile_party("till-offers", timed, Holds(**said) if holds is None else holds)


async def merged(base: Any, ours: Any, theirs: Any) -> Any: ...


@pytest.mark.parametrize(
    ("changed", "taught"),
    [
        ({"holds": 5}, r"5 .*write Holds\(by="),
        ({"by": None}, r"None is no delivery of the service: write @orders\.delivery above it"),
        ({"key": ""}, r"key=''.*write key='sku'"),
        ({"key": None}, r"key=None.*write key='sku'"),
        ({"fields": ["amount"]}, r"name the fields that are ours, fields=\{'price': 'ours'\}"),
        ({"fields": {5: "ours"}}, r"name the fields that are ours, fields=\{'price': 'ours'\}"),
        ({"fields": {"amount": lambda ours: ours}}, r"amount=.*that merges \(base, ours, theirs\)"),
        ({"fields": {"amount": merged}}, r"amount=.*must not be async"),
        ({"key_life": 5}, r"key_life=5.*write timedelta\("),
        ({"key_life": timedelta(0)}, r"key_life=0:00:00.*write timedelta\("),
        ({"key": "sku"}, r"OrderSeen.*has no member sku"),
        ({"fields": {"price": "ours"}}, r"OrderSeen.*has no member price"),
    ],
)
def test_what_nobody_can_hold_is_refused(changed: dict[str, Any], taught: str) -> None:
    with pytest.raises(DeclarationError, match=f"^till-offers: .*{taught}"):
        held(**changed)


def test_what_says_who_may_be_removed_is_called_with_a_row() -> None:
    shop = Service("shop")

    @shop.delivery
    async def push(order: OrderSeen, delivery: Delivery) -> None: ...

    @shop.delivery
    async def remove(order: OrderSeen, delivery: Delivery) -> None: ...

    async def has_mark(row: Row) -> bool:
        return True

    timed = adapter(facts=facts(capability=Capability.EVENT_TIMED))
    for removes in (has_mark, 5, lambda: True):
        holds = Holds(by=push, key="order_id", fields={"amount": "ours"}, removed_by=remove, removes=removes)  # type: ignore[arg-type]
        with pytest.raises(DeclarationError, match=r"^till-offers: removes=.*write .*\(row\)"):
            App(shop).reconcile_party("till-offers", timed, holds)


def test_a_party_that_is_asked_needs_its_methods_too() -> None:
    timed = facts(capability=Capability.EVENT_TIMED)
    with pytest.raises(DeclarationError, match=r"^till-offers: .*write `async def get_one\(self, key\)`"):
        held(listing=adapter(facts=timed, get_one=None))
    with pytest.raises(DeclarationError, match=r"^till-offers: .*observed.*must not be async"):
        held(listing=adapter(facts=timed, observed=item), fields={"amount": "theirs"})
