"""Appending in batches of 1,000 whose ids are UUIDs of version 7: what remembering ids costs if they come in order."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from benchmarks import ours
from benchmarks.bare import BareLog
from benchmarks.events import envelopes
from benchmarks.figures import Figure, Result, ratio
from benchmarks.machine import Disk
from benchmarks.rounds import Stopwatch, alternate
from benchmarks.sizes import Sizes

NAME = "append-batches"
BATCH = 1_000
TARGET = 0.5
BARE, READY, OURS = "bare executemany, of envelopes", "bare executemany, of rows made beforehand", "Log.append"


async def measure(folder: Path, sizes: Sizes) -> Result:
    bare, ready, seeds = BareLog(folder / "bare.db"), BareLog(folder / "ready.db"), count(1)
    async with ours.open_log(ours.in_file(folder / "ours.db")) as log:

        async def run_bare() -> float:
            given, watch = envelopes(sizes.batches, seed=next(seeds)), Stopwatch()
            for start in range(0, len(given), BATCH):
                with watch:
                    rows = bare.rows(given[start : start + BATCH])
                bare.append(rows, batch=BATCH, watch=watch)
            return watch.total

        async def run_ready() -> float:
            rows, watch = ready.rows(envelopes(sizes.batches, seed=next(seeds))), Stopwatch()
            ready.append(rows, batch=BATCH, watch=watch)
            return watch.total

        async def run_ours() -> float:
            given, watch = envelopes(sizes.batches, seed=next(seeds)), Stopwatch()
            await ours.append(log, given, batch=BATCH, watch=watch)
            return watch.total

        figures = await alternate(
            {BARE: run_bare, READY: run_ready, OURS: run_ours},
            Disk(folder),
            events=dict.fromkeys((BARE, READY, OURS), sizes.batches),
            rounds=sizes.rounds,
        )
    bare.close()
    ready.close()
    strictly = [found / limit for found, limit in zip(figures[OURS].rounds, figures[READY].rounds, strict=True)]
    return Result(
        measure="append in batches of 1,000, UUIDv7",
        figures=[*figures.values(), Figure(name=f"{OURS} / {READY}", unit="of it", rounds=strictly)],
        checks=[ratio(f"{OURS} / {BARE}", figures[OURS], figures[BARE], limit=TARGET)],
        notes=[
            "the bare table has a column for each part of an event and no index but its primary key; its loop is given "
            "what ours is given, envelopes, and makes the rows of them: no hashes, no checks, no receipts"
        ],
    )
