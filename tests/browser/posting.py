"""A shop that posts its events to endpoints: one that takes them, one that fails, one that hangs, one that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from tests.acceptance.http_server import in_file
from tests.browser.shop import ORDERS, Shop, open_shop
from tests.unit.webhooks.deliver.desk import Got, Sink, sink
from tidings.store.deliveries import DeliveryFilter

NASTY = '<img src=x onerror="alert(1)"> \u202eno'


class Posting:
    """The shop, and the party that its endpoints lead to, which answers by the path: fine, down, hangs, gone."""

    def __init__(self, shop: Shop, party: Sink) -> None:
        self.shop = shop
        self.party = party
        self.hangs = asyncio.Event()
        party.answer = self.answer

    async def answer(self, got: Got) -> web.StreamResponse:
        if got.path == "/hangs":
            await self.hangs.wait()
        if got.path == "/down":
            return web.Response(status=500, text=f"not today {NASTY}", headers={"x-trace": "abc<b>"})
        return web.Response(status=410 if got.path == "/gone" else 200, text="thank you")

    async def add(self, id: str, **members: object) -> None:
        await self.shop.opened.endpoints.add({"url": self.party.url(f"/{id}"), **members}, id=id)

    async def until(self, endpoint: str, state: str, count: int = 1, **where: str) -> None:
        """Come back when so many deliveries to an endpoint have this state."""
        store, wanted = self.shop.opened.store, DeliveryFilter(endpoint=endpoint, **where)
        while len(await store.deliveries(state, where=wanted, limit=count)) < count:  # type: ignore[arg-type]
            await self.shop.opened.ports.clock.sleep(0.02)


@asynccontextmanager
async def posting(folder: Path) -> AsyncIterator[Posting]:
    """Serve the shop with four endpoints that take `order-placed`, after its orders."""
    given = {"delivery_http": "on", "delivery_subnets": "127.0.0.0/8", "delivery_delays": "0,0.05"}
    settings = replace(in_file(folder), **given)  # type: ignore[arg-type]
    async with sink() as party, open_shop(folder, settings=settings) as shop:
        made = Posting(shop, party)
        pattern = {"type": ["order-placed"]}
        await made.add("fine", pattern=pattern, ordering="key", pin={"order-placed": 1})
        for id in ("down", "hangs", "gone"):
            await made.add(id, pattern=pattern, headers={"x-key": "hush"})
        for order in ORDERS:
            await shop.order(*order)
        await made.until("fine", "delivered", len(ORDERS))
        await made.until("down", "dead", len(ORDERS))
        await made.until("gone", "dead")
        await made.until("hangs", "leased", 4)
        try:
            yield made
        finally:
            made.hangs.set()
