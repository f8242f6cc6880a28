"""An application that takes a till's webhooks, and the till that signs them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.acceptance.http_server import Caller, Reply
from tidings import App, Context, Service, event
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.preset import Preset
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.read import Item
from tidings.webhooks.receive.sign import sign
from tidings.webhooks.receive.verdict import RequestFacts

SECRET = "whsec_2b7e151628aed2a6abf7158809cf4f3c"
JSON = (b"content-type", b"application/json")
STRIPE = PRESETS["stripe"]


@event("order-paid", subject="order")
class OrderPaid:
    order: str
    amount: int


class Broken(Exception):
    """What a translation raises that has a mistake."""


class Till:
    """The application. `broken`: whether its translation has a mistake, or which; `failing`: its handler."""

    def __init__(self, *, expected_every: timedelta | None = None, preset: Preset = STRIPE) -> None:
        self.broken: bool | Exception = False
        self.failing = False
        self.handled: list[str] = []
        orders = Service("orders")

        @orders.view(key=("order",))
        class Paid:
            order: str
            amount: int

        @orders.fold(Paid, OrderPaid)
        def paid(row: Any, event: OrderPaid) -> Any:
            return Paid(order=event.order, amount=event.amount)

        @orders.on(OrderPaid)
        async def ship(event: OrderPaid, ctx: Context) -> None:
            if self.failing:
                raise Broken("not today")
            self.handled.append(event.order)

        self.view = Paid
        self.app = App(orders)
        self.receiver = self.app.receiver(
            "till", preset, secrets=(SECRET,), source="/till", expected_every=expected_every
        )
        self.receiver.translate("order.paid")(self.translate)

    def translate(self, item: Item) -> Any:
        if self.broken:
            raise self.broken if isinstance(self.broken, Exception) else Broken("a mistake of ours")
        about = item.payload["data"]["object"]
        return OrderPaid(order=about["id"], amount=about["amount"])


def delivery(id: str, *, order: str = "o-1", amount: int = 5, created: int = 1_700_000_000, **more: Any) -> bytes:
    """Return the body of a delivery that says that an order is paid."""
    about = {"object": {"id": order, "amount": amount}}
    return json.dumps({"id": id, "type": "order.paid", "created": created, "data": about, **more}).encode()


def signed(body: bytes, *, secret: str = SECRET, at: datetime | None = None) -> list[tuple[str, str]]:
    """Return the headers of a delivery."""
    made = sign(STRIPE.schemes[0], body, RequestFacts(), [Key(secret)], at=at or datetime.now(UTC))
    return [(name.decode(), value.decode()) for name, value in (JSON, *made.headers)]


async def send(caller: Caller, body: bytes, *, to: str = "/hooks/till", **how: Any) -> Reply:
    return await caller.ask("POST", to, signed(body, **how), body)


async def entries(caller: Caller, **wanted: str) -> list[Any]:
    """Return the events that are kept, oldest first."""
    query = "".join(f"&{name}={value}" for name, value in wanted.items())
    return [each["event"] for each in (await caller.get(f"/events?limit=1000{query}")).json["entries"]]
