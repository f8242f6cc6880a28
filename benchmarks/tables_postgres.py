"""Two tables in two databases of one PostgreSQL, and which of their rows differ: ours beside `reladiff`."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg

from benchmarks import bare_postgres
from benchmarks.figures import Check, Figure, Result, ratio
from benchmarks.sizes import Sizes
from tidings.backends.postgres import scripts
from tidings.fingerprints.rows import RowHash, limbs
from tidings.reconciliation.tables import TableSide, differing
from tidings.store.scripts.fingerprinting import LimbTable

NAME = "tables-postgres"
OURS, PEER = "tidings", "reladiff"
TARGET = 2
DIFFERENCES = (0, 10, 1_000)
TABLE, KEY, SAID = "held", "id", "said"
CREATE = f"""CREATE TABLE {TABLE} ({KEY} bigint PRIMARY KEY, {SAID} text NOT NULL, h0 bigint NOT NULL,
  h1 bigint NOT NULL, h2 bigint NOT NULL, h3 bigint NOT NULL)"""
CHANGE = f"UPDATE {TABLE} SET {SAID} = $2, h0 = $3, h1 = $4, h2 = $5, h3 = $6 WHERE {KEY} = $1"
_hash = RowHash(bytes(16))


async def measure(folder: Path, sizes: Sizes) -> Result:
    figures: list[Figure] = []
    checks: list[Check] = []
    rows = sizes.replay
    with bare_postgres.server(folder) as url:
        one = await bare_postgres.made(url, "one")
        await _fill(one, rows)
        other = await bare_postgres.made(url, "other", template="one")
        changed = random.Random(3).sample(range(rows), max(DIFFERENCES))
        for count in DIFFERENCES:
            await _change(other, changed[:count])
            await bare_postgres.settled(other)
            sides = {OURS: lambda: _ours(one, other), PEER: lambda: _peer(one, other)}
            took = await _alternate(sides, set(changed[:count]), sizes.rounds)
            ours, peer = (_figure(f"{name}, {count:,} differences", rows, took[name]) for name in sides)
            figures += [ours, peer]
            checks.append(ratio(f"{OURS} / {PEER}, {count:,} differences", ours, peer, limit=TARGET))
    return Result(
        measure=f"two tables of {rows:,} rows on PostgreSQL compared",
        figures=figures,
        checks=checks,
        notes=[
            "tidings sums hashes that are kept beside the rows by whoever writes them; reladiff hashes the rows anew",
            "by the clock: nearly all of the work is the server's",
        ],
    )


def _figure(name: str, rows: int, took: Sequence[float]) -> Figure:
    return Figure(name=name, unit="rows a second", rounds=[rows / seconds for seconds in took])


async def _alternate(
    sides: dict[str, Callable[[], Awaitable[set[int]]]], true: set[int], rounds: int
) -> dict[str, list[float]]:
    """Return the seconds of each side in each round. RuntimeError if one does not find what differs."""
    took: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            started = time.perf_counter()
            found = await side()
            took[name].append(time.perf_counter() - started)
            if found != true:
                raise RuntimeError(f"{name} found {len(found):,} differences of {len(true):,}")
    return took


async def _ours(one: str, other: str) -> set[int]:
    here, there = await asyncpg.connect(one), await asyncpg.connect(other)
    try:
        async with (
            here.transaction(isolation="repeatable_read", readonly=True),
            there.transaction(isolation="repeatable_read", readonly=True),
        ):
            return {int(key) for key in await differing(_side(here), _side(there))}
    finally:
        await here.close()
        await there.close()


def _side(connection: asyncpg.Connection) -> TableSide:
    return TableSide(LimbTable(name=TABLE, key=KEY), lambda script: scripts.run(connection, script))


async def _peer(one: str, other: str) -> set[int]:
    from benchmarks.peers import reladiff_tables  # all else that is measured runs without it

    return set(reladiff_tables.differing(one, other, table=TABLE, key=KEY, columns=(SAID,)))


async def _fill(url: str, rows: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(CREATE)
    await connection.copy_records_to_table(TABLE, records=(_row(n, f"order {n} of many, paid") for n in range(rows)))
    await connection.close()
    await bare_postgres.settled(url)


async def _change(url: str, keys: list[int]) -> None:
    connection = await asyncpg.connect(url)
    await connection.executemany(CHANGE, [_row(n, f"order {n} of many, refunded") for n in keys])
    await connection.close()


def _row(n: int, said: str) -> tuple[int | str, ...]:
    return (n, said, *limbs(_hash(b"%d" % n, said.encode())))
