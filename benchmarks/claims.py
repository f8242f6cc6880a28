"""How long a claim for an endpoint takes, and what it reads, by how many deliveries wait.

    python -m benchmarks.claims     on SQLite and PostgreSQL, behind 1,000 and 1,000,000 deliveries

It has no aim, and takes a minute or two: a claim has to read as much, and to take as little memory, however long the
queue is.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.bare_postgres import made, server
from benchmarks.child import memory
from tidings.backends.postgres.database import Database, open_database
from tidings.backends.postgres.endpoints import CLAIM
from tidings.backends.postgres.store import PostgresStore
from tidings.backends.sqlite import open_sqlite
from tidings.backends.sqlite.scripts import told
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Claiming, Result
from tidings.store.endpoints import EndpointRecord
from tidings.store.scripts.claiming import FIRST

SIZES = (1_000, 1_000_000)
CLAIMS = 40
CLAIMING = Claiming(owner="bench", limit=50, late=25)
DONE = Result(state="delivered", outcome="delivered")
FILL = (
    "INSERT INTO {} (key, endpoint, position, type, state, next_at, intended) "
    "SELECT 'big:' || n, 'big', n, 'said', 'due', n, n FROM {}"
)
COUNTED = "(WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < {}) SELECT n FROM i)"
LATER = 1 << 62


async def claims(store: StoreDriver) -> tuple[list[float], float]:
    """Claim and settle again and again; return how many milliseconds each claim took, and by how many MB this process
    grew."""
    took, before = [], memory("VmRSS")
    for _ in range(CLAIMS):
        began = time.perf_counter()
        [found] = await store.claim_endpoint_deliveries(CLAIMING, ttl=timedelta(minutes=1))
        took.append((time.perf_counter() - began) * 1_000)
        assert len(found.deliveries) == found.endpoint.pacing.slots
        for each in found.deliveries:
            await store.settle_endpoint_deliveries([each], lambda _: DONE)
    return took, memory("VmRSS") - before


def say(place: str, size: int, claimed: tuple[list[float], float], reads: str) -> None:
    took, grown = claimed
    median, highest = statistics.median(took), max(took)
    said = f"{median:6.2f} ms a claim of 4, {highest:6.2f} ms at most, {grown:.1f} MB more of memory for {CLAIMS}"
    print(f"{place:10} {size:>9,} wait: {said}; {reads}")


async def on_sqlite(folder: Path, size: int) -> None:
    opened = open_sqlite(str(folder / f"{size}.db"), Ports())
    store, hop = opened.store, opened.store._database.hop
    await store.add_endpoint(EndpointRecord(id="big", config=b"{}", starts_after=0, created=0))
    await hop(lambda to: to.execute(FILL.format("tidings_delivery", COUNTED.format(size))).rowcount)
    await hop(lambda to: to.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    steps = await hop(steps_of_the_first)
    say("SQLite", size, await claims(store), f"{steps} steps of SQLite's machine to find the first 4")
    plan = await hop(lambda of: of.execute(f"EXPLAIN QUERY PLAN {told(FIRST)}", ("big", LATER, 4)).fetchall())
    print("   ", *[row[3] for row in plan])
    await opened.close()


def steps_of_the_first(connection: Any) -> int:
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(step, 1)
    connection.execute(told(FIRST), ("big", LATER, 4)).fetchall()
    connection.set_progress_handler(None, 0)
    return steps


async def on_postgres(url: str, size: int) -> None:
    database = await open_database(url)
    store = PostgresStore(database, Ports())
    await store.add_endpoint(EndpointRecord(id="big", config=b"{}", starts_after=0, created=0))
    async with database.connection() as connection:
        await connection.execute(FILL.format("tidings.delivery", f"generate_series(1, {size}) n"), timeout=600)
        await connection.execute("VACUUM ANALYZE tidings.delivery", timeout=600)
    plan = await explained(database)
    pages = next(line.strip() for line in plan if "Buffers" in line)
    say("PostgreSQL", size, await claims(store), f"a claim's {pages}")
    print("\n".join(f"    {line}" for line in plan if " on " in line or "Index Cond" in line))
    await store.close()


async def explained(database: Database) -> list[str]:
    """Return the plan of the second statement of a claim, with what it read; nothing of it is kept."""
    async with database.connection() as connection:
        await connection.execute("BEGIN")
        held = (["big"], [4], [1], [None], LATER, 50, 25, "bench", 1)
        rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, COSTS OFF) {CLAIM}", *held)
        await connection.execute("ROLLBACK")
    return [line for (line,) in rows]


async def measure() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            await on_sqlite(Path(folder), size)
        with server(Path(folder)) as url:
            for size in SIZES:
                await on_postgres(await made(url, f"claims_{size}"), size)


if __name__ == "__main__":
    asyncio.run(measure())
