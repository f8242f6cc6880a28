"""Finding a time in a log whose clock was set back: nothing recorded from that time on may be missed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random

import pytest

from tests.unit.backends.sqlite.store_of import NeverQuiet
from tidings.backends.sqlite import open_sqlite
from tidings.conformance.samples import event, everything, keep
from tidings.events.envelope import Entry
from tidings.log.driver import LogDriver
from tidings.ports import Ports

SECOND = 1_000_000


@asynccontextmanager
async def recorded(steps: Sequence[float]) -> AsyncIterator[tuple[LogDriver, list[Entry]]]:
    """A log with one entry after each step of the clock, in seconds; it is set back by those below 0."""
    clock = NeverQuiet()
    opened = open_sqlite(":memory:", Ports(clock=clock))
    for n, seconds in enumerate(steps):
        clock.move(seconds)
        await keep(opened.log, event(str(n)))
    yield opened.log, await everything(opened.log)
    await opened.close()


async def missed(log: LogDriver, entries: Sequence[Entry], time: int) -> list[int]:
    """Return where entries stand that were recorded from this time on and that the answer passes over."""
    start = await log.recorded_from(time)
    return [entry.position for entry in entries if entry.recorded >= time and entry.position <= start]


@pytest.mark.parametrize("back", [1, 30, 59])
@pytest.mark.parametrize(("before", "after"), [(10, 30), (30, 10), (1, 200)])
async def test_what_was_recorded_before_the_clock_was_set_back_is_not_missed(
    back: int, before: int, after: int
) -> None:
    async with recorded([1.0] * before + [-back] + [0.1] * after) as (log, entries):
        for entry in entries:
            assert await missed(log, entries, entry.recorded) == []


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_the_clock_did_within_a_minute_nothing_is_missed(seed: int) -> None:
    draw = Random(seed)
    times = [200.0]
    while len(times) < 120:
        latest = max(times)
        ahead = latest + draw.choice((0.0, 0.001, 1.0, 20.0))
        times.append(draw.choice((ahead, draw.uniform(latest - 59, latest))))
    steps = [times[0], *(later - earlier for earlier, later in pairwise(times))]
    async with recorded(steps) as (log, entries):
        for time in {entry.recorded + step for entry in entries for step in (-SECOND, -1, 0, 1, SECOND)}:
            assert await missed(log, entries, time) == []


@pytest.mark.parametrize("gap", [0.0, 0.5, 45.0, 3600.0])
async def test_with_a_clock_that_was_never_set_back_what_was_recorded_before_is_passed_over(gap: float) -> None:
    async with recorded([gap] * 50) as (log, entries):
        for entry in entries:
            for time in (entry.recorded, entry.recorded + 1):
                start = await log.recorded_from(time)
                assert start == max((each.position for each in entries if each.recorded < time), default=0)


async def test_a_time_that_has_not_come_yet_is_after_the_head() -> None:
    async with recorded([1.0] * 5) as (log, entries):
        assert await log.recorded_from(entries[-1].recorded + 3600 * SECOND) == entries[-1].position
