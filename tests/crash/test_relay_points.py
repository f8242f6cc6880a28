"""A relay that is killed between its store and a log elsewhere: everything staged arrives, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.oracle import positions_in, reopened
from tests.crash.points import on_each
from tests.crash.processes import run_killed, run_whole
from tests.crash.relaying import UNITS, staged


async def carried_to(folder: Path) -> list[str]:
    async with reopened(folder / "log.db") as opened:
        return list(await positions_in(opened.log))


@pytest.mark.parametrize(("place", "point"), on_each("relay"), indirect=["place"])
async def test_a_kill_while_relaying_neither_loses_nor_repeats_what_was_staged(place: Path, point: str) -> None:
    for nth in (1, 2):
        await run_killed("relay", place, point=point, nth=nth)
        await carried_to(place)
    await run_whole("relay", place)
    assert await carried_to(place) == [id for n in range(UNITS) for id in staged(n)]
