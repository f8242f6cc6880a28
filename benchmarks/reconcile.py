"""A copy compared with all that its provider lists, in a fresh process: what a run costs that finds nothing."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Check, Figure, Result
from benchmarks.own_process import in_own_process
from benchmarks.sizes import Sizes

NAME = "reconcile"
RATE, MEGABYTES = 200_000, 150
UNIT = "rows a second of CPU"


async def measure(folder: Path, sizes: Sizes) -> Result:
    found = []
    for _ in range(sizes.rounds):
        path = folder / "copy.db"
        found.append(await in_own_process("reconcile", str(path), str(sizes.replay)))
        for each in folder.glob("copy.db*"):
            each.unlink()
    rates, peaks = [each["rate"] for each in found], [each["peak"] for each in found]
    before = Figure(name="memory before the run", unit="MB", rounds=[each["before"] for each in found])
    return Result(
        measure=f"a copy of {sizes.replay:,} rows compared with a list",
        figures=[Figure(name="a run that finds nothing", unit=UNIT, rounds=rates), before],
        checks=[
            Check(name="a run that finds nothing", rounds=rates, limit=RATE, unit=UNIT),
            Check(name="its peak memory", rounds=peaks, limit=MEGABYTES, sense="at most", unit="MB"),
        ],
        notes=["the adapter's own time is not counted; SQLite's page caches are part of the memory"],
    )
