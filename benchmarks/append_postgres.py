"""Appending to PostgreSQL in batches of 1,000 whose ids are UUIDs of version 7, beside plain inserts from arrays."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from benchmarks import bare_postgres, ours
from benchmarks.events import envelopes
from benchmarks.figures import Result, ratio
from benchmarks.machine import Disk
from benchmarks.rounds import Stopwatch, alternate
from benchmarks.sizes import Sizes
from tidings.backends.postgres.opening import open_postgres
from tidings.log.log import Log
from tidings.ports import Ports

NAME = "append-postgres"
BATCH = 1_000
TARGET = 0.7
BARE, OURS = "bare asyncpg, INSERT … SELECT FROM unnest", "Log.append on PostgreSQL"
INDEXED = f"{BARE}, with an index by subject"


async def measure(folder: Path, sizes: Sizes) -> Result:
    seeds = count(1)
    with bare_postgres.server(folder) as url:
        bare = await bare_postgres.connect(url)
        back_end = await open_postgres(url, Ports())
        log = Log(back_end.log, Ports())

        async def insert(statement: str) -> float:
            given, watch = envelopes(sizes.batches, seed=next(seeds)), Stopwatch()
            for start in range(0, len(given), BATCH):
                with watch:
                    await bare.fetch(statement, 0, *bare_postgres.columns(given[start : start + BATCH]))
            return watch.total

        async def run_bare() -> float:
            return await insert(bare_postgres.BATCH)

        async def run_indexed() -> float:
            return await insert(bare_postgres.BATCH_INDEXED)

        async def run_ours() -> float:
            given, watch = envelopes(sizes.batches, seed=next(seeds)), Stopwatch()
            await ours.append(log, given, batch=BATCH, watch=watch)
            return watch.total

        figures = await alternate(
            {BARE: run_bare, INDEXED: run_indexed, OURS: run_ours},
            Disk(folder),
            events=dict.fromkeys((BARE, INDEXED, OURS), sizes.batches),
            rounds=sizes.rounds,
        )
        await bare.close()
        await log.close()
        await back_end.close()
    return Result(
        measure="append to PostgreSQL in batches of 1,000, UUIDv7",
        figures=list(figures.values()),
        checks=[ratio(f"{OURS} / {BARE}", figures[OURS], figures[BARE], limit=TARGET)],
        notes=[
            "the bare table has the columns of the log, no partitions, and no index but its primary key, or the log's "
            "own one by subject, too; nothing notices a repeat; its loop is given what ours is given, envelopes, and "
            "makes the arrays of them"
        ],
    )
