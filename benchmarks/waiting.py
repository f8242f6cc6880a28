"""What an application costs that waits for events: Chirp with all its consumers and no traffic."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Check, Figure, Result
from benchmarks.own_process import in_own_process
from benchmarks.sizes import Sizes

NAME = "waiting"
SHARE = 1
MEGABYTES = 80


async def measure(folder: Path, sizes: Sizes) -> Result:
    found = await in_own_process("wait", str(folder / "chirp.db"), str(sizes.waiting))
    consumers = Figure(name="consumers that wait", unit="", rounds=[found["consumers"]])
    return Result(
        measure=f"Chirp without traffic, {sizes.waiting:.0f} s",
        figures=[consumers],
        checks=[
            Check(name="CPU time", rounds=[found["share"] * 100], limit=SHARE, sense="at most", unit="% of a core"),
            Check(name="memory", rounds=[found["memory"]], limit=MEGABYTES, sense="at most", unit="MB"),
        ],
    )
