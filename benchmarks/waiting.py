"""What it costs to wait for events: one consumer, and beside it Chirp with all of its, without traffic."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Check, Figure, Result
from benchmarks.own_process import in_own_process
from benchmarks.sizes import Sizes

NAME = "waiting"
SHARE = 1
MEGABYTES = 80


async def measure(folder: Path, sizes: Sizes) -> Result:
    rounds: dict[str, list[dict[str, float]]] = {"wait": [], "wait-all": []}
    for number in range(sizes.rounds):
        for which, found in rounds.items():
            found.append(await in_own_process(which, str(folder / f"{which}-{number}.db"), str(sizes.waiting)))
    shares = {which: [each["share"] * 100 for each in found] for which, found in rounds.items()}
    everybody = rounds["wait-all"]
    return Result(
        measure=f"without traffic, {sizes.waiting:.0f} s",
        figures=[
            Figure(name="Chirp, all its consumers", unit="% of a core", rounds=shares["wait-all"]),
            Figure(name="how many these are", unit="", rounds=[each["consumers"] for each in everybody]),
        ],
        checks=[
            Check(name="one consumer", rounds=shares["wait"], limit=SHARE, sense="at most", unit="% of a core"),
            Check(
                name="memory of Chirp",
                rounds=[each["memory"] for each in everybody],
                limit=MEGABYTES,
                sense="at most",
                unit="MB",
            ),
        ],
    )
