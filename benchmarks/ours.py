"""Our side: a log as an application opens it, and a consumer that carries it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.rounds import Stopwatch
from tidings import App
from tidings.app.engines import open_back_end
from tidings.events.envelope import Envelope
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.settings import Settings
from tidings.store.driver import StoreDriver

FILLING = 10_000
LOOK_SECONDS = 0.02
"""As often as a rebuild looks how far it is. Each look takes processor time of both sides, and the time until the last
one counts against us."""


def in_file(path: Path) -> str:
    """Return the URL of the SQLite database in this file."""
    return f"sqlite:///{path}"


@asynccontextmanager
async def open_log(url: str) -> AsyncIterator[Log]:
    """Open the log in this database with the default settings: SQLite with synchronous=FULL."""
    ports = Ports()
    back_end = await open_back_end(Settings(database_url=url), ports)
    log = Log(back_end.log, ports)
    try:
        yield log
    finally:
        await log.close()
        await back_end.close()


async def append(log: Log, envelopes: Sequence[Envelope], *, batch: int, watch: Stopwatch) -> None:
    """Append the envelopes, so many in one call, one call after the other."""
    for start in range(0, len(envelopes), batch):
        with watch:
            await log.append(envelopes[start : start + batch])


async def carry(app: App, url: str, consumer: str) -> float:
    """Open an application on the log and let its consumer carry all of it; return the seconds until it stood there."""
    return (await carried(app, url, consumer)).total


async def carried(app: App, url: str, consumer: str) -> Stopwatch:
    """As `carry`; return what the watch says, the processor's seconds too."""
    watch, stopping = Stopwatch(), asyncio.Event()
    async with app.open(Settings(database_url=url), consume=False) as opened:
        head = (await opened.log.head()).position
        carrying = (await opened.carrying.consumers())[consumer]
        with watch:
            running = asyncio.create_task(carrying.run(stopping))
            await until_settled(opened.store, consumer, head)
        stopping.set()
        await running
    return watch


async def until_settled(store: StoreDriver, consumer: str, position: Position) -> None:
    """Come back when the consumer's checkpoints stand there: whoever waits for it looks at them, too."""
    reached = 0
    while reached < position:
        await asyncio.sleep(LOOK_SECONDS)
        checkpoints = (await store.checkpoints(consumer)).values()
        reached = min((checkpoint.position for checkpoint in checkpoints), default=0)
