"""The planner and the census on PostgreSQL. See `planning`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Result
from benchmarks.planning import NAMES, measure_on, postgres
from benchmarks.sizes import Sizes

NAME = NAMES["postgresql"]


async def measure(folder: Path, sizes: Sizes) -> Result:
    async with postgres(folder) as place:
        return await measure_on(place, "PostgreSQL", sizes)
