"""Appending in batches of 1,000 whose ids are UUIDs of version 7: what remembering ids costs if they come in order."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from benchmarks import ours
from benchmarks.bare import BareLog
from benchmarks.events import envelopes
from benchmarks.figures import Result, ratio
from benchmarks.machine import Disk
from benchmarks.rounds import Stopwatch, alternate
from benchmarks.sizes import Sizes

NAME = "append-batches"
BATCH = 1_000
TARGET = 0.5


async def measure(folder: Path, sizes: Sizes) -> Result:
    bare, seeds = BareLog(folder / "bare.db"), count(1)
    async with ours.open_log(folder / "ours.db") as log:

        async def run_bare() -> float:
            rows, watch = bare.rows(envelopes(sizes.batches, seed=next(seeds))), Stopwatch()
            bare.append(rows, batch=BATCH, watch=watch)
            return watch.total

        async def run_ours() -> float:
            given, watch = envelopes(sizes.batches, seed=next(seeds)), Stopwatch()
            await ours.append(log, given, batch=BATCH, watch=watch)
            return watch.total

        figures = await alternate(
            {"bare executemany": run_bare, "Log.append": run_ours},
            Disk(folder),
            events=dict.fromkeys(("bare executemany", "Log.append"), sizes.batches),
            rounds=sizes.rounds,
        )
    bare.close()
    return Result(
        measure="append in batches of 1,000, UUIDv7",
        figures=list(figures.values()),
        checks=[
            ratio("Log.append / bare executemany", figures["Log.append"], figures["bare executemany"], limit=TARGET)
        ],
        notes=["the bare table has the log's columns and no index but its primary key; its rows are made beforehand"],
    )
