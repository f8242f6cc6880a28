"""How many bytes of disk an event takes: `python -m benchmarks.disk`. Nothing is timed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg

from benchmarks import bare_postgres, ours
from benchmarks.events import envelopes
from benchmarks.place import place
from benchmarks.rounds import Stopwatch
from tidings.log.log import Log

EVENTS = 200_000
ALONE = 5_000
BATCH = 1_000
WAYS = (("UUIDv7, together", False, BATCH), ("random ids, together", True, BATCH), ("UUIDv7, each alone", False, 1))
"""What is measured: a name, whether ids are opaque, and how many events come in one append."""


async def on_sqlite(path: Path, *, opaque: bool, batch: int) -> int:
    """Return the bytes of a file into which the events were appended, beyond those of the same file without them."""
    sizes = []
    for count in (0, _count(batch)):
        at = path.with_name(f"{path.name}-{count}")
        async with ours.open_log(ours.in_file(at)) as log:
            await _append(log, count, opaque=opaque, batch=batch)
        sizes.append(sum(part.stat().st_size for part in at.parent.glob(f"{at.name}*")))
    return sizes[1] - sizes[0]


async def on_postgres(url: str, name: str, *, opaque: bool, batch: int) -> int:
    """Return the bytes of a database into which the events were appended, beyond those of the same without them."""
    own, sizes = await bare_postgres.made(url, name), []
    watching = await asyncpg.connect(own)
    async with ours.open_log(own) as log:
        for count in (0, _count(batch)):
            await _append(log, count, opaque=opaque, batch=batch)
            sizes.append(await watching.fetchval("SELECT pg_database_size(current_database())"))
    await watching.close()
    return int(sizes[1] - sizes[0])


def _count(batch: int) -> int:
    return ALONE if batch == 1 else EVENTS


async def _append(log: Log, count: int, *, opaque: bool, batch: int) -> None:
    await ours.append(log, envelopes(count, seed=1, opaque=opaque), batch=batch, watch=Stopwatch())


async def _measure(folder: Path) -> None:
    with bare_postgres.server(folder) as url:
        for number, (said, opaque, batch) in enumerate(WAYS):
            file = await on_sqlite(folder / f"log{number}.db", opaque=opaque, batch=batch)
            database = await on_postgres(url, f"log{number}", opaque=opaque, batch=batch)
            count = _count(batch)
            print(f"{said:24} SQLite {file / count:6.0f}  PostgreSQL {database / count:6.0f}  bytes an event")


if __name__ == "__main__":
    with place(None) as folder:
        asyncio.run(_measure(folder))
