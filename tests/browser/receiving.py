"""An application with receivers that stored something, repeats, conflicts and failures, and refused something."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.webhooks import SECRET, OrderPaid, Till, delivery, signed
from tests.browser.shop import Shop, open_shop
from tidings.app.receiving import receivers_of
from tidings.webhooks.receive.presets import PRESETS

NASTY = '<img src=x onerror="alert(1)"> \u202eno'
STATE = "client-state-5f0c"
JSON = [("content-type", "application/json")]


class Receiving:
    """The till's application behind its server. `till.broken`: whether its translation has a mistake."""

    def __init__(self, shop: Shop, till: Till) -> None:
        self.shop = shop
        self.till = till

    async def send(self, body: bytes, *, to: str = "till", headers: list[tuple[str, str]] | None = None) -> int:
        given = signed(body) if headers is None else headers
        return (await self.shop.caller.ask("POST", f"/hooks/{to}", given, body)).status

    async def fill(self) -> None:
        """Take in o-1 to o-3, o-1 twice, one that is in conflict, two that are no events; refuse three."""
        for n in range(1, 4):
            await self.send(delivery(f"evt_{n}", order=f"o-{n}", about=NASTY))
        await self.send(delivery("evt_1", order="o-1", about=NASTY))
        await self.send(delivery("evt_1", order="o-1", amount=9))
        self.till.broken = True
        for n in (4, 5):
            await self.send(delivery(f"evt_{n}", order=f"o-{n}"))
        self.till.broken = False
        for _ in range(2):
            await self.send(delivery("evt_6"), headers=JSON)
        await self.send(delivery("evt_6"), headers=signed(delivery("evt_7")))
        item = {"clientState": STATE, "changeType": "updated", "resource": "/users/7", "subscriptionId": "s-1"}
        await self.send(json.dumps({"value": [item]}).encode(), to="graph", headers=JSON)


@asynccontextmanager
async def receiving(folder: Path) -> AsyncIterator[Receiving]:
    """Serve the receivers till, graph, old and quiet with all that came to them."""
    till = Till(expected_every=timedelta(hours=1))
    graph = till.app.receiver("graph", PRESETS["graph"], secrets=(STATE,), source="https://graph.example.com/tenant")

    @graph.translate()
    def changed(item: Any) -> OrderPaid:
        return OrderPaid(order=item.payload["resource"], amount=1)

    async with open_shop(folder, till.app) as shop:
        made = Receiving(shop, till)
        acts = receivers_of(shop.opened)
        await acts.put("old", {"preset": "stripe", "source": "/old", "secrets": [SECRET]})
        await acts.retire("old")
        square = {"preset": "square", "source": "/square", "secrets": [SECRET], "expected_every_s": 1}
        await acts.put("quiet", {**square, "public_url": "https://shop.example.com/hooks/quiet"})
        await made.fill()
        yield made
