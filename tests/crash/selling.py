"""What a child of the shop does: it sells, and goes on until all that follows from it is done."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from tests.crash import shop
from tests.crash.telling import tell
from tidings import App
from tidings.app.opened import Opened
from tidings.errors import LogUnavailableError
from tidings.ports import Clock, Ports, SystemClock
from tidings.views.declaration import consumer_name

AHEAD_US = 60_000_000
POLL_SECONDS = 0.02
MADE = "made"
"""A file that says that the shop's own tables are there."""


class ClockAhead(SystemClock):
    """A clock by which every lease that somebody else holds is over."""

    def now_us(self) -> int:
        return super().now_us() + AHEAD_US


async def sell(folder: Path, ports: Ports, options: str) -> None:
    """Publish every sale, each twice, and carry on until nothing is left to do.

    `options`: words. "version-2": the views are of a newer release. "no-views": there are none yet. "ahead": nothing is
    published, and the clock is ahead, so that leases of others are over.
    """
    words = options.split()
    app = shop.make(folder, version=2 if "version-2" in words else 1, views="no-views" not in words)
    if "ahead" in words:
        ports = Ports(clock=ClockAhead(), points=ports.points)
    if not (folder / MADE).exists():
        await make_tables(app, folder)
    async with app.open(shop.settings(folder), ports=ports) as opened:
        tell("open")
        if "ahead" not in words:
            await publish(app, 0)
            await until_settled(opened, ports.clock)  # so that on a busy machine, too, some page has nothing flaky
            await asyncio.gather(*(publish(app, item) for item in range(1, shop.ITEMS)), publish_flaky(app))
        await until_settled(opened, ports.clock)
        tell("settled")


async def make_tables(app: App, folder: Path) -> None:
    async with app.open(shop.settings(folder), consume=False), app.unit("till") as ctx:
        for statement in shop.TABLES:
            await ctx.sql.execute(statement)
    (folder / MADE).touch()


async def publish(app: App, item: int) -> None:
    for n in [*range(shop.SALES), *reversed(range(shop.SALES))]:
        event, time = shop.sold(item, n)
        await say(app, event, shop.sale(item, n), time)


async def publish_flaky(app: App) -> None:
    for n in range(shop.FLAKY):
        await say(app, shop.Checked(f"flaky-{n}"), f"check-{n}", shop.BEGAN)


async def say(app: App, event: object, id: str, time: datetime) -> None:
    """Publish an event until it is answered, and tell its id: who was stopped meanwhile finds that the time is over."""
    while True:
        with suppress(LogUnavailableError):
            await app.publish(event, source="/web", id=id, time=time)
            break
    tell(id)


async def until_settled(opened: Opened, clock: Clock) -> None:
    """Come back when every consumer has reached the head, and nothing is waiting to be tried or delivered."""
    while not await is_settled(opened):
        await clock.sleep(POLL_SECONDS)


async def is_settled(opened: Opened) -> bool:
    head = (await opened.log.head()).position
    if await opened.carrying.changed() or await opened.store.next_due() is not None:
        return False
    names = [service.name for service in opened.services if service.handlers]
    names += [consumer_name(each.table) for each in await opened.store.views() if is_carried(each.state, each.mode)]
    for name in names:
        checkpoints = (await opened.store.checkpoints(name)).values()
        if not checkpoints or any(checkpoint.position < head for checkpoint in checkpoints):
            return False
    return (await opened.log.head()).position == head


def is_carried(state: str, mode: str) -> bool:
    return state == "current" and mode == "async"
