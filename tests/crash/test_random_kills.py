"""Loaded servers, killed at random moments. `python -m tests.crash.random_kills` does the same for longer."""

from __future__ import annotations

from pathlib import Path

from tests.crash.random_kills import run
from tests.scale import SCALE

KILLS = 6
KILLS_ON_POSTGRES = 3


async def test_a_loaded_server_that_is_killed_at_random_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    counts = await run(tmp_path, kills=KILLS * SCALE, seed=1)
    print(counts)
    assert counts.acknowledged > 0
    assert counts.rows > 0


async def test_servers_consumers_and_postgresql_that_are_killed_at_random_lose_nothing_and_do_nothing_twice(
    tmp_path: Path,
) -> None:
    counts = await run(tmp_path, kills=KILLS_ON_POSTGRES * SCALE, seed=4, database="postgresql")
    print(counts)
    assert counts.acknowledged > 0
    assert counts.rows > 0
    kinds = {what.partition(" ")[0] for what in counts.killed}
    assert kinds == {"server", "consumer", "PostgreSQL"}
