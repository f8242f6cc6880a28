"""Till's door: the webhooks that Till signs and sends become events of orders. Without a secret there is no door."""

from __future__ import annotations

import json

from chirp.events import OrderCancelled, OrderPaid, OrderPaidInFractions, OrderPlaced, OrderRefunded, OrderShipped
from tidings import App
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.read import Item

TOLD: dict[str, type] = {
    "order.placed": OrderPlaced,
    "order.paid": OrderPaid,
    "order.shipped": OrderShipped,
    "order.refunded": OrderRefunded,
    "order.cancelled": OrderCancelled,
}
OLD: dict[str, type] = {"order.paid": OrderPaidInFractions}
"""What Till's older machines tell otherwise, and say so: `"version": 1`."""


def open_door(app: App, secret: str) -> None:
    """Have the application take webhooks at `/hooks/till`, signed as Standard Webhooks has it."""
    till = app.receiver("till", PRESETS["standard"], secrets=(secret,), source="/till")

    @till.translate(*TOLD)
    def told(item: Item) -> object:
        payload = json.loads(item.data)
        known = OLD if payload.get("version") == 1 else TOLD
        return known[payload["type"]](**payload["data"])
