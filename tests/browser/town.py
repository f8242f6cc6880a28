"""Releases of five services over one database, in the middle of a move from one version of an event to the next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from tests.acceptance.http_server import in_file
from tests.browser.shop import Shop, open_shop
from tests.unit.app import bookmarking as at
from tidings import App, Context, Service, event
from tidings.operations.gates import Gatekeeping

TYPE = "tweet-bookmarked"
SUNSET = 1_803_859_200_000_000


class Line(msgspec.Struct, frozen=True):
    article: str
    count: Annotated[int, msgspec.Meta(ge=1, le=99)] = 1


@event("order-came", version=1, subject="order_id")
class OrderCame:
    order_id: str
    lines: tuple[Line, ...]
    state: Literal["open", "paid", "gone"] = "open"
    gift: bool | None = None
    at: datetime | None = None


@event("order-paid", version=1, subject="order_id")
class OrderPaid:
    order_id: str
    cents: int


@event("tree-grown", version=1, subject="name")
class TreeGrown:
    name: str
    below: tuple[TreeGrown, ...] = ()


def orders() -> App:
    """`orders` reads what comes from outside, and emits `order-paid`; `search` reads everything."""
    made, found = Service("orders", emits=[OrderPaid]), Service("search", emits=[TreeGrown])

    @made.on(OrderCame)
    async def pay(event: OrderCame, ctx: Context) -> None:
        return None

    @found.on(OrderPaid)
    async def index_order(event: OrderPaid, ctx: Context) -> None:
        return None

    @found.on(at.extended())
    async def index_list(event: Any, ctx: Context) -> None:
        return None

    return App(made, found)


@asynccontextmanager
async def open_town(folder: Path) -> AsyncIterator[Shop]:
    """Serve it: `users` accepts version 3 of `tweet-bookmarked`, `lists` does not yet, and version 1 ends."""
    settings = in_file(folder)
    for release in (at.first(), at.second()):
        async with at.bookmarks(release).open(settings):
            """Makes its version known, and opens it."""
    async with AsyncExitStack() as stack:
        for app, revision in ((at.lists(at.second()), "r41"), (at.users(at.third()), "r118"), (orders(), "r9")):
            await stack.enter_async_context(app.open(replace(settings, revision=revision)))
        served = replace(settings, revision="r77")
        shop = await stack.enter_async_context(open_shop(folder, at.bookmarks(at.third()), served))
        await Gatekeeping(shop.opened.store, who="a test").deprecate(
            TYPE, 1, sunset=SUNSET, migration="https://example.org/v3"
        )
        await shop.opened.endpoints.add({"via": "poll", "pattern": {"type": [TYPE]}, "pin": {TYPE: 1}}, id="partner")
        yield shop
