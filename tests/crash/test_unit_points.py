"""A process that is killed while it reacts: in the end every event has its effects, each of them once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.points import on_each
from tests.crash.processes import run_killed, run_whole
from tests.crash.shop_oracle import check_end, check_midway


async def kill_twice_and_finish(folder: Path, point: str) -> None:
    told: list[str] = []
    for options in ("no-views", ""):  # so that it is a handler's unit at first, and then one of anybody's
        told += (await run_killed("sell", folder, point=point, options=options)).told
        await check_midway(folder, told)
    told += (await run_whole("sell", folder)).told
    await check_end(folder, told)


@pytest.mark.parametrize(("place", "point"), on_each("unit"), indirect=["place"])
async def test_a_kill_in_a_unit_leaves_all_of_it_or_nothing(place: Path, point: str) -> None:
    await kill_twice_and_finish(place, point)


@pytest.mark.parametrize(("place", "point"), on_each("failure"), indirect=["place"])
async def test_a_kill_while_a_failure_is_written_down_loses_no_entry(place: Path, point: str) -> None:
    await kill_twice_and_finish(place, point)


@pytest.mark.parametrize(("place", "point"), on_each("delivery"), indirect=["place"])
async def test_a_kill_around_a_call_to_the_outside_repeats_it_with_the_same_key(place: Path, point: str) -> None:
    await kill_twice_and_finish(place, point)
