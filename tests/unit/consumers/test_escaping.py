"""Handlers that raise what is no Exception, or end their task or their process from inside."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.unit.consumers.room import Trail, room, until_idle
from tidings.consumers.faults import EscapedError, called
from tidings.store.parking import Parked


class OwnError(BaseException):
    """An author's class that is no Exception."""


ESCAPING = [
    SystemExit(1),
    KeyboardInterrupt(),
    GeneratorExit(),
    OwnError("x"),
    BaseExceptionGroup("several", [OwnError("x")]),
    asyncio.CancelledError(),
]


@pytest.mark.parametrize("error", ESCAPING, ids=lambda error: type(error).__name__)
async def test_whatever_a_handler_raises_is_a_failure_of_its_entry(error: BaseException) -> None:
    async with room() as at:
        one, two, three = await at.say("a", "b", "c")
        trail = Trail()
        trail.fault = lambda entry: error if entry.position == two else None
        await until_idle(at.consumer(trail))
        assert await at.trail() == [one, three]
        parked = (await at.parked())["b"]
        assert (parked.reason, parked.state) == ("handler-failed", "retrying")
        assert type(error).__name__ in parked.error or "cancelled from inside" in parked.error


async def test_a_subject_whose_handler_exits_is_dead_after_its_attempts() -> None:
    async with room() as at:
        await at.say("a")
        trail = Trail()
        trail.fault = lambda entry: SystemExit(3)
        consumer = at.consumer(trail)
        for _ in range(10):
            await until_idle(consumer)
            at.clock.move(601)
        assert len(trail.calls) == 2 + 5  # in its page, then alone, then by five redrives
        parked = (await at.parked())["a"]
        assert (parked.reason, parked.state) == ("handler-failed", "dead")
        assert "SystemExit: 3" in parked.error


async def test_a_cancellation_that_was_asked_for_is_one() -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(called(wait()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_whose_message_cannot_be_read_ends_nothing_either() -> None:
    class MuteError(BaseException):
        def __str__(self) -> str:
            raise SystemExit(1)

    async def fail() -> None:
        raise MuteError

    with pytest.raises(EscapedError, match="MuteError"):
        await called(fail())


def test_a_call_that_is_thrown_away_with_its_loop_ends_quietly() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    async def begin() -> None:
        waiting.send(None)

    waiting = called(wait())
    asyncio.run(begin())
    waiting.close()  # would raise what it is turned into


async def test_who_follows_an_end_inside_a_handler_is_careful() -> None:
    async with room() as at:
        await at.say("a")
        trail = Trail()

        async def cancel_itself() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)  # where it arrives

        trail.before = cancel_itself
        consumer = at.consumer(trail)
        for _ in range(1 + 6):
            running = asyncio.create_task(consumer.run(asyncio.Event()))
            await asyncio.wait((running,))
            assert running.cancelled()
            assert await at.parked() == {}
            at.clock.move(9)
        await until_idle(consumer)
        assert (await at.parked())["a"].reason == "process-died"


async def test_who_follows_an_end_outside_of_a_handler_need_not_wait_for_the_lease() -> None:
    async with room() as at:
        consumer = at.consumer(Trail())
        running = asyncio.create_task(consumer.run(asyncio.Event()))
        while not at.clock.sleepers:
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await at.say("a", "b")
        await until_idle(at.consumer(Trail(), owner="two"))
        assert await at.trail() == [1, 2]
        assert "failure:attempt-written" not in at.points.passed


def test_a_handler_whose_own_task_exits_ends_the_process_a_few_times_and_is_then_parked(tmp_path: Path) -> None:
    """An event loop ends at once when one of its tasks exits: nothing here can catch that."""

    async def exit_in_a_task() -> None:
        async def leave() -> None:
            sys.exit(3)

        await asyncio.create_task(leave())

    async def live(life: int) -> dict[str, Parked]:
        async with room(str(tmp_path / "file.db")) as at:
            at.clock.move(9 * life)
            if life == 0:
                await at.say("a")
            trail = Trail()
            trail.before = exit_in_a_task
            consumer = at.consumer(trail, owner=f"life {life}")
            if life < 1 + 6:
                await consumer.run(asyncio.Event())
            await until_idle(consumer)
            return await at.parked()

    for life in range(1 + 6):
        with pytest.raises(SystemExit):
            asyncio.run(live(life))
    assert asyncio.run(live(1 + 6))["a"].reason == "process-died"
