"""Appending to PostgreSQL in batches of 1,000 whose ids are UUIDs of version 7, beside plain inserts from arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path

import asyncpg

from benchmarks import bare_postgres, ours
from benchmarks.events import envelopes
from benchmarks.figures import Figure, Result, ratio
from benchmarks.machine import Disk
from benchmarks.rounds import Stopwatch, alternate
from benchmarks.sizes import Sizes
from tidings.backends.postgres.opening import open_postgres
from tidings.events.envelope import Envelope
from tidings.log.log import Log
from tidings.ports import Ports

NAME = "append-postgres"
BATCH = 1_000
TARGET = 0.7
BARE, OURS = "bare asyncpg, INSERT … SELECT FROM unnest", "Log.append on PostgreSQL"
INDEXED = f"{BARE}, with an index by subject"
_STATEMENTS = {BARE: bare_postgres.BATCH, INDEXED: bare_postgres.BATCH_INDEXED}


async def measure(folder: Path, sizes: Sizes) -> Result:
    seeds = count(1)
    used: dict[str, list[float]] = {BARE: [], INDEXED: [], OURS: []}
    with bare_postgres.server(folder) as url:
        bare, watching = await bare_postgres.connect(url), await bare_postgres.connect(url)
        back_end = await open_postgres(url, Ports())
        log = Log(back_end.log, Ports())

        async def run(name: str) -> float:
            given, watch = envelopes(sizes.batches, seed=next(seeds)), Stopwatch()
            before = await bare_postgres.cpu_seconds(watching)
            if name == OURS:
                await ours.append(log, given, batch=BATCH, watch=watch)
            else:
                await _insert(bare, _STATEMENTS[name], given, watch)
            server = await bare_postgres.cpu_seconds(watching) - before
            used[name].append((watch.used + server) / sizes.batches * 1_000_000)
            return watch.total

        figures = await alternate(
            {name: partial(run, name) for name in used},
            Disk(folder),
            events=dict.fromkeys(used, sizes.batches),
            rounds=sizes.rounds,
        )
        await bare.close()
        await watching.close()
        await log.close()
        await back_end.close()
    costs = [Figure(name=f"CPU time, {name}", unit="µs an event", rounds=rounds) for name, rounds in used.items()]
    return Result(
        measure="append to PostgreSQL in batches of 1,000, UUIDv7",
        figures=[*figures.values(), *costs],
        checks=[ratio(f"{OURS} / {BARE}", figures[OURS], figures[BARE], limit=TARGET)],
        notes=[
            "the bare table has the columns of the log, no partitions, and no index but its primary key, or the log's "
            "own one by subject, too; nothing notices a repeat; its loop is given what ours is given, envelopes, and "
            "makes the arrays of them",
            "CPU time is that of the client and of all processes of the server; ours has the client make rows while "
            "the server looks for repeats, which saves time and none of the processor's",
        ],
    )


async def _insert(bare: asyncpg.Connection, statement: str, given: Sequence[Envelope], watch: Stopwatch) -> None:
    for start in range(0, len(given), BATCH):
        with watch:
            await bare.fetch(statement, 0, *bare_postgres.columns(given[start : start + BATCH]))
