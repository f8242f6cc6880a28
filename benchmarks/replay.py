"""The memory that a replay of a whole log takes: a rebuild of its view, in a fresh process."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Check, Figure, Result
from benchmarks.fold import prepare
from benchmarks.ours import in_file
from benchmarks.own_process import in_own_process
from benchmarks.sizes import Sizes

NAME = "replay"
MEGABYTES = 200


async def measure(folder: Path, sizes: Sizes) -> Result:
    path = folder / "log.db"
    await prepare(in_file(path), sizes.replay)
    found = await in_own_process("replay", str(path))
    rate = Figure(name="rebuild of a view", unit="events/s", rounds=[sizes.replay / found["seconds"]])
    before = Figure(name="memory before the replay", unit="MB", rounds=[found["before"]])
    return Result(
        measure=f"replay of {sizes.replay:,} events",
        figures=[rate, before],
        checks=[
            Check(
                name="peak memory, as the kernel counts it",
                rounds=[found["peak"]],
                limit=MEGABYTES,
                sense="at most",
                unit="MB",
            )
        ],
        notes=["SQLite's page caches, 64 MB for the writer and up to 16 MB for each reader, are part of it"],
    )
