"""One of several processes that fold the same view: `python -m benchmarks.carrying URL`, until its input ends."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from benchmarks.events import bookmarks
from benchmarks.fold import CONSUMER
from tidings import App
from tidings.api.serve import spare_what_stays
from tidings.settings import Settings


async def carry(url: str) -> None:
    stopping = asyncio.Event()
    async with App(bookmarks).open(Settings(database_url=url), consume=False) as opened:
        running = asyncio.create_task((await opened.carrying.consumers())[CONSUMER].run(stopping))
        await asyncio.to_thread(sys.stdin.read)
        stopping.set()
        await running


if __name__ == "__main__":
    spare_what_stays()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(carry(sys.argv[1]))
