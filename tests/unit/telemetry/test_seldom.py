from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from tidings.ports import SystemClock
from tidings.telemetry.failures import PLACE_SECONDS, Failures
from tidings.telemetry.seldom import KINDS_MAX, Seldom


class HandClock(SystemClock):
    """Stands until it is moved; whoever sleeps wakes up by it."""

    def __init__(self) -> None:
        self.now = 5.0
        self._sleeping: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        over = asyncio.get_running_loop().create_future()
        self._sleeping.append((self.now + seconds, over))
        await over

    async def move(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds
        for end, over in self._sleeping:
            if end <= self.now and not over.done():
                over.set_result(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


Rests = list[tuple[str, int]]


@pytest.fixture
def rests() -> Rests:
    return []


def told(rests: Rests) -> Callable[[str, int], None]:
    return lambda kind, more: rests.append((kind, more))


async def test_the_rest_of_a_burst_is_told_when_the_burst_is_over(rests: Rests) -> None:
    clock = HandClock()
    seldom = Seldom[str](clock, 10, told(rests))
    assert [seldom.is_due("a") for _ in range(313)] == [True] + [False] * 312
    assert rests == []
    await clock.move(10)
    assert rests == [("a", 312)]
    await clock.move(10)
    await clock.move(10)
    assert rests == [("a", 312)]  # and nothing of what has ended
    assert seldom.is_due("a")


async def test_a_burst_that_goes_on_is_told_once_a_while(rests: Rests) -> None:
    clock = HandClock()
    seldom = Seldom[str](clock, 10, told(rests))
    for _ in range(4):
        for _ in range(5):
            seldom.is_due("a")
        await clock.move(10)
    assert rests == [("a", 4), ("a", 5), ("a", 5), ("a", 5)]


async def test_kinds_are_counted_apart_and_none_is_told_twice(rests: Rests) -> None:
    clock = HandClock()
    seldom = Seldom[str](clock, 10, told(rests))
    assert [seldom.is_due(kind) for kind in "aabaab"] == [True, False, True, False, False, False]
    await clock.move(10)
    assert sorted(rests) == [("a", 3), ("b", 1)]


async def test_the_rest_is_told_before_the_next_if_nobody_came_to_tell_it(rests: Rests) -> None:
    clock = HandClock()
    seldom = Seldom[str](clock, 10, told(rests))
    assert [seldom.is_due("a") for _ in range(3)] == [True, False, False]
    clock.now += 10
    assert seldom.is_due("a")
    assert rests == [("a", 2)]


def test_the_rest_is_told_when_the_loop_ends(rests: Rests) -> None:
    async def burst() -> None:
        seldom = Seldom[str](HandClock(), 10, told(rests))
        for _ in range(4):
            seldom.is_due("a")
        await asyncio.sleep(0)

    asyncio.run(burst())
    assert rests == [("a", 3)]


async def test_very_many_kinds_take_bounded_memory_and_no_count_is_lost(rests: Rests) -> None:
    seldom = Seldom[str](HandClock(), 1, told(rests))
    assert [seldom.is_due(str(n // 2)) for n in range(6 * KINDS_MAX)] == [True, False] * 3 * KINDS_MAX
    assert len(seldom._kinds) <= KINDS_MAX
    assert len(rests) == 2 * KINDS_MAX


async def test_more_failures_at_one_place_are_told_by_what_they_were(caplog: pytest.LogCaptureFixture) -> None:
    clock = HandClock()
    failures = Failures(logging.getLogger("tidings.api"), clock)
    for n in range(1_000):
        try:
            raise KeyError(n)
        except KeyError as error:
            failures.tell(error, f"a request to '/{n}' failed")
    await clock.move(PLACE_SECONDS)
    first, rest = caplog.records
    assert (first.message, first.exc_info is not None) == ("a request to '/0' failed", True)
    assert rest.message.startswith("999 more failed at the same place: KeyError (")
    assert rest.message.endswith(")")
