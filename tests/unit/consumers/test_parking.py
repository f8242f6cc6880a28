from __future__ import annotations

import asyncio

import pytest

from tests.unit.consumers.room import Room, Trail, room, until_idle
from tidings.consumers.consumer import Consumer
from tidings.consumers.retry import reason_of
from tidings.errors import CheckpointMovedError, InvalidDataError, NotRetryable, StoreUnavailableError


class Switch:
    """Fails the entries at these positions until it is mended."""

    def __init__(self, *positions: int, error: BaseException | None = None) -> None:
        self.positions = set(positions)
        self.error = error or ValueError("no")

    def __call__(self, entry):
        return self.error if entry.position in self.positions else None

    def mend(self) -> None:
        self.positions = set()


async def pass_time(at: Room, consumer: Consumer, seconds: float) -> None:
    """Let time pass in pieces, renewing what is held, as it would be."""
    while seconds > 0:
        at.clock.move(min(2.0, seconds))
        seconds -= 2.0
        await consumer._leases.renew()
    await until_idle(consumer)


async def test_later_entries_of_a_parked_subject_wait_behind_it_and_others_flow() -> None:
    async with room() as at:
        trail = Trail()
        consumer = at.consumer(trail)
        [one] = await at.say("a")
        trail.fault = Switch(one)
        await until_idle(consumer)
        two, three, four = await at.say("a", "b", "a")
        await until_idle(consumer)
        assert await at.trail() == [three]
        assert await at.waiting("a") == [one, two, four]
        assert await at.at() == four


async def test_followers_in_the_same_page_wait_too() -> None:
    async with room() as at:
        said = await at.say("a", "b", "a", "a", "b")
        trail = Trail()
        trail.fault = Switch(said[0])
        await until_idle(at.consumer(trail))
        assert await at.trail() == [said[1], said[4]]
        assert await at.waiting("a") == [said[0], said[2], said[3]]


async def test_a_redrive_brings_the_entries_back_in_order_once_its_time_has_come() -> None:
    async with room() as at:
        said = await at.say("a", "a", "a")
        trail = Trail()
        trail.fault = switch = Switch(said[0])
        consumer = at.consumer(trail)
        await until_idle(consumer)
        switch.mend()
        at.clock.move(0.2)
        await until_idle(consumer)
        assert await at.trail() == []
        await pass_time(at, consumer, 2)
        assert await at.trail() == said
        assert await at.parked() == {}


async def test_a_freed_subject_flows_on_with_the_others() -> None:
    async with room() as at:
        [one] = await at.say("a")
        trail = Trail()
        trail.fault = switch = Switch(one)
        consumer = at.consumer(trail)
        await until_idle(consumer)
        switch.mend()
        await pass_time(at, consumer, 2)
        [two] = await at.say("a")
        rest = await until_idle(consumer)
        assert await at.trail() == [one, two]
        assert rest.seconds > 5  # nothing is set aside, so there is nothing to look after


async def test_a_redrive_that_fails_again_is_put_off_and_holds_only_its_subject() -> None:
    async with room() as at:
        one, two, three = await at.say("a", "a", "b")
        trail = Trail()
        trail.fault = Switch(one)
        consumer = at.consumer(trail)
        await until_idle(consumer)
        await pass_time(at, consumer, 2)
        assert await at.trail() == [three]
        assert await at.waiting("a") == [one, two]
        parked = (await at.parked())["a"]
        assert (parked.attempts, parked.state) == (2, "retrying")
        assert parked.next_at is not None
        assert 1 < (parked.next_at - at.clock.now_us()) / 1_000_000 <= 6


async def test_a_follower_that_fails_keeps_what_was_redriven_before_it() -> None:
    async with room() as at:
        said = await at.say("a", "a", "a")
        trail = Trail()
        trail.fault = switch = Switch(said[0])
        consumer = at.consumer(trail)
        await until_idle(consumer)
        switch.positions = {said[1]}
        await pass_time(at, consumer, 2)
        assert await at.trail() == [said[0]]
        assert await at.waiting("a") == said[1:]
        assert (await at.parked())["a"].attempts == 2


async def test_after_six_attempts_a_subject_waits_for_an_operator() -> None:
    async with room() as at:
        [one] = await at.say("a")
        trail = Trail()
        trail.fault = switch = Switch(one)
        consumer = at.consumer(trail)
        await until_idle(consumer)
        await pass_time(at, consumer, 700)
        for _ in range(8):
            await pass_time(at, consumer, 400)
        parked = (await at.parked())["a"]
        assert (parked.state, parked.attempts, parked.next_at) == ("dead", 6, None)
        assert sum(call == (one,) for call in trail.calls) == 2 + 5
        switch.mend()
        await pass_time(at, consumer, 700)
        assert await at.trail() == []
        await at.store.schedule_redrive("trail", "a", at=at.clock.now_us())
        await pass_time(at, consumer, 2)
        assert await at.trail() == [one]


@pytest.mark.parametrize("error", [NotRetryable("no"), InvalidDataError("no")])
async def test_what_cannot_come_right_by_itself_is_dead_at_once(error: Exception) -> None:
    async with room() as at:
        [one] = await at.say("a")
        trail = Trail()
        trail.fault = Switch(one, error=error)
        await until_idle(at.consumer(trail))
        assert (await at.parked())["a"].state == "dead"


async def test_a_dropped_entry_lets_its_followers_flow_on() -> None:
    async with room() as at:
        one, two = await at.say("a", "a")
        trail = Trail()
        trail.fault = Switch(one, error=NotRetryable("no"))
        consumer = at.consumer(trail)
        await until_idle(consumer)
        await at.store.drop("trail", "a", one, reason="a test")
        await pass_time(at, consumer, 2)
        assert await at.trail() == [two]
        assert await at.parked() == {}


async def test_an_entry_that_is_dropped_during_its_redrive_is_not_missed() -> None:
    async with room() as at:
        one, two = await at.say("a", "a")
        trail = Trail()
        trail.fault = switch = Switch(one)
        consumer = at.consumer(trail)
        await until_idle(consumer)
        switch.mend()
        letters = at.store.dead_letters

        async def and_drop(consumer_name: str, subject: str, *, limit: int):
            found = await letters(consumer_name, subject, limit=limit)
            at.store.dead_letters = letters
            await at.store.drop(consumer_name, subject, one, reason="a test")
            return found

        at.store.dead_letters = and_drop
        await pass_time(at, consumer, 2)
        assert await at.trail() == [two]
        assert await at.parked() == {}


async def test_a_store_out_of_reach_during_a_redrive_counts_nothing() -> None:
    async with room() as at:
        [one] = await at.say("a")
        trail = Trail()
        trail.fault = switch = Switch(one)
        consumer = at.consumer(trail)
        await until_idle(consumer)
        switch.error = StoreUnavailableError("the disk is full")
        at.clock.move(2)
        stopping = asyncio.Event()
        assert await consumer.step(stopping) is not None
        assert await consumer.step(stopping) is not None
        assert (await at.parked())["a"].attempts == 2
        switch.mend()
        await consumer.step(stopping)
        assert await at.trail() == [one]


async def test_who_lost_the_lease_redrives_nothing() -> None:
    async with room() as at:
        [one] = await at.say("a")
        trail = Trail()
        trail.fault = switch = Switch(one)
        consumer = at.consumer(trail)
        await until_idle(consumer)
        switch.mend()
        at.clock.move(2)
        [part] = consumer._leases.parts
        await at.store.pause("trail", "an operator said so")
        with pytest.raises(CheckpointMovedError):
            await consumer._work._redriving.turn([part.claim], asyncio.Event())
        assert await at.trail() == []
        assert (await at.parked())["a"].attempts == 1


async def test_a_long_queue_behind_a_subject_does_not_hold_the_others() -> None:
    async with room() as at:
        said = await at.say(*["a"] * 200)
        trail = Trail()
        trail.fault = switch = Switch(said[0])
        consumer = at.consumer(trail)
        await until_idle(consumer)
        switch.mend()
        at.clock.move(2)
        [other] = await at.say("b")
        stopping = asyncio.Event()
        for _ in range(3):
            await consumer.step(stopping)
        handled = await at.trail()
        assert other in handled
        assert len(handled) < 200
        await until_idle(consumer)
        assert [position for position in await at.trail() if position != other] == said


async def test_an_inline_views_consumer_only_redrives() -> None:
    async with room() as at:
        one, two = await at.say("a", "b")
        trail = Trail()
        consumer = at.consumer(trail, carries=False)
        await until_idle(consumer)
        assert await at.trail() == []
        assert await at.at() == two
        [entry] = await at.log.at([one])
        async with at.store.unit() as unit:
            why = reason_of(ValueError("no"), attempt=1, now=at.clock.now_us(), draw=0.5)
            await unit.park("trail", "a", [entry], why)
        await pass_time(at, consumer, 2)
        assert await at.trail() == [one]


async def test_what_a_former_owner_set_aside_is_known_to_the_next() -> None:
    async with room() as at:
        [one] = await at.say("a")
        trail = Trail()
        trail.fault = Switch(one)
        first, stopping = at.consumer(trail), asyncio.Event()
        await until_idle(first, stopping)
        await first.release()
        [two] = await at.say("a")
        await until_idle(at.consumer(trail, owner="two"))
        assert await at.waiting("a") == [one, two]


async def test_what_another_owner_set_aside_meanwhile_is_known_when_the_partition_comes_back() -> None:
    async with room() as at:
        trail = Trail()
        first, second = at.consumer(trail), at.consumer(trail, owner="two")
        await until_idle(first)
        await first.release()
        [one] = await at.say("a")
        trail.fault = Switch(one)
        await until_idle(second)
        await second.release()
        [two] = await at.say("a")
        await until_idle(first)
        assert await at.waiting("a") == [one, two]
