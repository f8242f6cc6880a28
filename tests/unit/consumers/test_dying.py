"""Entries whose handler ends the process."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.consumers.room import Died, Room, Trail, room, until_idle
from tidings.consumers.consumer import Consumer
from tidings.errors import SequenceRewoundError, StoreUnavailableError


def deadly(*positions: int):
    return lambda entry: Died() if entry.position in positions else None


async def live(at: Room, trail: Trail, life: int) -> Consumer | None:
    """Run a process of its own until it is idle or dies; its leases run out."""
    consumer = at.consumer(trail, owner=f"life {life}")
    living = asyncio.create_task(until_idle(consumer))
    await asyncio.wait((living,))
    if living.cancelled():
        at.clock.move(9)
        return None
    living.result()
    return consumer


async def lives_until_idle(at: Room, trail: Trail) -> int:
    """Begin process after process until one survives; return how many there were."""
    for lives in range(1, 20):
        if await live(at, trail, lives) is not None:
            return lives
    raise AssertionError("none of them survived")


async def test_an_entry_that_ends_its_process_is_parked_after_its_attempts() -> None:
    async with room() as at:
        one, two, three = await at.say("a", "b", "c")
        trail = Trail()
        trail.fault = deadly(two)
        assert await lives_until_idle(at, trail) == 1 + 6 + 1
        assert await at.trail() == [one, three]
        parked = (await at.parked())["b"]
        assert (parked.reason, parked.state, parked.attempts) == ("process-died", "dead", 6)
        assert "each of 6 attempts" in parked.error


async def test_who_follows_a_dead_owner_handles_one_entry_a_unit_for_one_page() -> None:
    async with room() as at:
        await at.say("a", "b")
        trail = Trail()
        trail.fault = deadly(1)
        await live(at, trail, 1)
        trail.fault = lambda entry: None
        trail.calls.clear()
        await live(at, trail, 2)
        assert trail.calls == [(1,), (2,)]
        assert at.points.passed.count("failure:attempt-written") == 2


async def test_care_ends_with_the_page() -> None:
    async with room() as at:
        await at.say("a")
        trail = Trail()
        trail.fault = deadly(1)
        await live(at, trail, 1)
        trail.fault = lambda entry: None
        consumer = await live(at, trail, 2)
        assert consumer is not None
        before = at.points.passed.count("failure:attempt-written")
        await at.say("a", "b")
        await until_idle(consumer)
        assert at.points.passed.count("failure:attempt-written") == before


async def test_who_follows_an_owner_that_let_go_needs_no_care() -> None:
    async with room() as at:
        await at.say("a", "b")
        first = at.consumer(Trail())
        stopping = asyncio.Event()
        stopping.set()
        await first.run(stopping)
        await until_idle(at.consumer(Trail(), owner="two"))
        assert "failure:attempt-written" not in at.points.passed


async def test_a_careful_entry_that_merely_fails_is_parked_as_ever() -> None:
    async with room() as at:
        one, two = await at.say("a", "b")
        trail = Trail()
        trail.fault = deadly(one)
        await live(at, trail, 1)
        trail.fault = lambda entry: ValueError("no") if entry.position == one else None
        await live(at, trail, 2)
        assert await at.trail() == [two]
        assert (await at.parked())["a"].reason == "handler-failed"


async def test_a_store_out_of_reach_is_no_death() -> None:
    async with room() as at:
        one, two = await at.say("a", "b")
        trail = Trail()
        trail.fault = deadly(one)
        await live(at, trail, 1)
        trail.fault = lambda entry: StoreUnavailableError("the disk is full")
        consumer, stopping = at.consumer(trail, owner="life 2"), asyncio.Event()
        for _ in range(2):
            await consumer.step(stopping)
        assert at.points.passed.count("failure:attempt-written") == 1
        trail.fault = lambda entry: None
        await until_idle(consumer)
        assert await at.trail() == [one, two]


async def test_a_redrive_that_ends_its_process_is_given_up_after_its_attempts() -> None:
    async with room() as at:
        one, two = await at.say("a", "b")
        trail = Trail()
        trail.fault = lambda entry: ValueError("no") if entry.position == one else None
        await live(at, trail, 0)
        trail.fault = deadly(one)
        at.clock.move(9)
        assert await lives_until_idle(at, trail) == 5 + 1
        parked = (await at.parked())["a"]
        assert (parked.reason, parked.state, parked.attempts) == ("process-died", "dead", 6)
        assert await at.trail() == [two]


async def test_a_sequence_that_stands_behind_the_log_is_no_fault_of_an_entry_which_waits() -> None:
    async with room() as at:
        await at.say("a", "b")
        trail = Trail()
        trail.fault = lambda entry: SequenceRewoundError("behind")
        with pytest.raises(SequenceRewoundError):
            await until_idle(at.consumer(trail, owner="one"))
        assert await at.store.parked() == []
        assert {each.position for each in (await at.store.checkpoints(trail.name)).values()} == {0}
