"""The planner and the census on SQLite. See `planning`."""

from __future__ import annotations

from pathlib import Path

from benchmarks import ours
from benchmarks.bare import connect
from benchmarks.figures import Result
from benchmarks.planning import NAMES, Place, measure_on
from benchmarks.sizes import Sizes

NAME = NAMES["sqlite"]


async def measure(folder: Path, sizes: Sizes) -> Result:
    path = folder / "planner.db"

    async def none() -> float:
        return 0.0

    async def write(statement: str) -> None:
        connection = connect(path)
        connection.execute(statement)
        connection.close()

    return await measure_on(Place(ours.in_file(path), none, write), "SQLite", sizes)
