"""Many tasks that append one event each at a time, against one: what is gained by keeping them together."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

from benchmarks import ours
from benchmarks.events import envelopes
from benchmarks.figures import Result, ratio
from benchmarks.machine import Disk
from benchmarks.rounds import Stopwatch, alternate
from benchmarks.sizes import Sizes
from tidings.events.envelope import Envelope
from tidings.log.log import Log

NAME = "append-callers"
CALLERS = 64
TARGET = 8


async def measure(folder: Path, sizes: Sizes) -> Result:
    seeds = count(1)
    one, many = "1 caller", f"{CALLERS} callers"
    async with ours.open_log(ours.in_file(folder / "ours.db")) as log:

        async def run_one() -> float:
            return await _timed(log, envelopes(sizes.one_caller, seed=next(seeds)), callers=1)

        async def run_many() -> float:
            return await _timed(log, envelopes(sizes.callers, seed=next(seeds)), callers=CALLERS)

        figures = await alternate(
            {one: run_one, many: run_many},
            Disk(folder),
            events={one: sizes.one_caller, many: sizes.callers},
            rounds=sizes.rounds,
        )
    return Result(
        measure="append one event a call",
        figures=list(figures.values()),
        checks=[ratio(f"{many} / {one}", figures[many], figures[one], limit=TARGET)],
    )


async def _timed(log: Log, given: list[Envelope], *, callers: int) -> float:
    watch = Stopwatch()
    with watch:
        await asyncio.gather(*(_append_each(log, given[n::callers]) for n in range(callers)))
    return watch.total


async def _append_each(log: Log, given: list[Envelope]) -> None:
    for envelope in given:
        await log.append((envelope,))
