"""A process that is killed while a view is built anew: readers see a whole table, and the new one in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.points import on_each
from tests.crash.processes import run_killed, run_whole
from tests.crash.shop_oracle import check_end, check_midway


@pytest.mark.parametrize(("place", "point"), on_each("swap"), indirect=["place"])
async def test_a_kill_while_a_view_is_swapped_leaves_the_old_table_or_the_new_one(place: Path, point: str) -> None:
    told = list((await run_whole("sell", place)).told)
    await check_end(place, told)
    for _ in ("an inline view, before anything is appended", "an async one"):
        told += (await run_killed("sell", place, point=point, options="version-2")).told
        await check_midway(place, told)
    told += (await run_whole("sell", place, options="version-2")).told
    await check_end(place, told, version=2)
