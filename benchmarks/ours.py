"""Our side: a log on SQLite as an application opens it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.rounds import Stopwatch
from tidings.backends.sqlite import open_sqlite
from tidings.events.envelope import Envelope
from tidings.log.log import Log
from tidings.ports import Ports

FILLING = 10_000


@asynccontextmanager
async def open_log(path: Path) -> AsyncIterator[Log]:
    """Open the log in this file, with synchronous=FULL, which is the default."""
    ports = Ports()
    back_end = open_sqlite(str(path), ports)
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
