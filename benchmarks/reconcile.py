"""A copy compared with all that its provider lists, in a fresh process: what a run costs that finds nothing."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Check, Figure, Result, ratio
from benchmarks.own_process import in_own_process
from benchmarks.sizes import Sizes

NAME = "reconcile"
RATE, OF_BARE, MEGABYTES = 200_000, 0.4, 150
UNIT = "rows a second of CPU"


async def measure(folder: Path, sizes: Sizes) -> Result:
    found = []
    for _ in range(sizes.rounds):
        arguments = (str(folder / "copy.db"), str(sizes.replay))
        await in_own_process("copy", *arguments)
        found.append(await in_own_process("reconcile", *arguments))
        for each in folder.glob("copy.db*"):
            each.unlink()
    ours = Figure(name="a run that finds nothing", unit=UNIT, rounds=[each["rate"] for each in found])
    bare = Figure(name="the bare loop", unit=UNIT, rounds=[each["bare"] for each in found])
    peaks = [each["peak"] for each in found]
    before = Figure(name="memory before the run", unit="MB", rounds=[each["before"] for each in found])
    return Result(
        measure=f"a copy of {sizes.replay:,} rows compared with a list",
        figures=[bare, ours, before],
        checks=[
            Check(name=ours.name, rounds=ours.rounds, limit=RATE, unit=UNIT),
            ratio(f"{ours.name} / {bare.name}", ours, bare, limit=OF_BARE),
            Check(name="its peak memory", rounds=peaks, limit=MEGABYTES, sense="at most", unit="MB"),
        ],
        notes=[
            "the bare loop reads what is noted page by page, hashes and compares",
            "the adapter's own time is not counted; SQLite's page caches are part of the memory",
        ],
    )
