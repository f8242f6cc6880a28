"""Blocks that end when they take too long, with one timer for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tidings.webhooks.deliver.deadline import Deadline

SHORT, LONG = 0.01, 3_600.0


async def within(deadline: Deadline, work: Awaitable[object]) -> None:
    with deadline:
        await work


def forever() -> Awaitable[object]:
    return asyncio.Event().wait()


async def under_way(make: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    """Return a task that waits by now."""
    task = asyncio.ensure_future(make())
    await asyncio.sleep(0)
    return task


async def test_what_takes_too_long_ends() -> None:
    with pytest.raises(TimeoutError):
        await within(Deadline(SHORT), forever())
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


async def test_each_of_several_ends_and_so_do_those_that_begin_later() -> None:
    deadline = Deadline(SHORT)
    for _ in range(2):
        found = await asyncio.gather(*(within(deadline, forever()) for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in found] == [TimeoutError] * 3


async def test_what_ends_in_time_leaves_the_time_of_others_as_it_is() -> None:
    deadline = Deadline(SHORT)
    late = await under_way(lambda: within(deadline, forever()))
    await within(deadline, asyncio.sleep(0))
    later = await under_way(lambda: within(deadline, forever()))
    found = await asyncio.gather(late, later, return_exceptions=True)
    assert [type(each) for each in found] == [TimeoutError] * 2


async def test_who_is_cancelled_by_others_is_not_late() -> None:
    task = await under_way(lambda: within(Deadline(LONG), forever()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_late_and_cancelled_by_others_too_is_cancelled() -> None:
    deadline = Deadline(SHORT)

    async def slow_to_end() -> None:
        with deadline:
            try:
                await forever()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                raise

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(slow_to_end())


async def test_what_fails_by_itself_is_told_as_it_is() -> None:
    async def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        await within(Deadline(LONG), fail())
