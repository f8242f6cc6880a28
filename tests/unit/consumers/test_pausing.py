"""The breaker, and what is out of reach."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.unit.consumers.room import Trail, room, until_idle
from tidings.consumers import work
from tidings.errors import InlineViewError, LogUnavailableError, StoreUnavailableError


async def test_a_broken_release_does_not_move_the_log_into_dead_letters(caplog: pytest.LogCaptureFixture) -> None:
    async with room() as at:
        await at.say(*[f"s{n}" for n in range(300)])
        trail = Trail()
        trail.fault = lambda entry: ImportError("a broken release")
        consumer = at.consumer(trail)
        with caplog.at_level(logging.ERROR):
            rest = await until_idle(consumer)
        assert rest.after is None
        assert len(await at.parked()) == 20
        assert await at.at() == 20
        assert "20 subjects in a row failed with ImportError" in caplog.text
        trail.fault = lambda entry: None
        at.clock.move(2)
        await until_idle(consumer)
        assert await at.parked() == {}
        assert len(await at.trail()) == 300


async def test_while_it_is_broken_each_pause_sets_one_more_aside() -> None:
    async with room() as at:
        await at.say(*[f"s{n}" for n in range(300)])
        trail = Trail()
        trail.fault = lambda entry: ImportError("a broken release")
        consumer = at.consumer(trail)
        await until_idle(consumer)
        for more in (1, 2, 3):
            at.clock.move(60)
            await until_idle(consumer)
            assert len(await at.parked()) == 20 + more


async def test_failures_among_successes_pause_nothing() -> None:
    async with room() as at:
        said = await at.say(*[f"s{n}" for n in range(300)])
        trail = Trail()
        trail.fault = lambda entry: ValueError("no") if entry.position % 2 else None
        await until_idle(at.consumer(trail))
        assert await at.at() == said[-1]
        assert len(await at.parked()) == 150


async def test_many_parked_entries_pause_until_they_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "PARKED_ENTRIES", 5)
    async with room() as at:
        said = await at.say(*["a"] * 5)
        trail = Trail()
        trail.fault = lambda entry: ValueError("no") if entry.position == said[0] else None
        consumer = at.consumer(trail)
        await until_idle(consumer)
        [later] = await at.say("b")
        rest = await until_idle(consumer)
        assert rest.after is None
        assert later not in await at.trail()
        trail.fault = lambda entry: None
        at.clock.move(3)
        await until_idle(consumer)
        assert await at.trail() == [*said, later]


@pytest.mark.parametrize(
    "error", [StoreUnavailableError("full"), LogUnavailableError("gone"), InlineViewError("another release")]
)
async def test_what_is_out_of_reach_is_tried_again_and_counts_nothing(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async with room() as at:
        said = await at.say("a", "b")
        trail = Trail()
        trail.fault = lambda entry: error
        consumer, stopping = at.consumer(trail), asyncio.Event()
        for _ in range(3):
            rest = await consumer.step(stopping)
            assert rest is not None
            assert rest.seconds > 0
        assert [record.getMessage() for record in caplog.records] == [f"trail tries again: {error}"]
        assert await at.parked() == {}
        trail.fault = lambda entry: None
        await until_idle(consumer)
        assert await at.trail() == said


async def test_a_log_that_cannot_be_read_is_waited_for() -> None:
    async with room() as at:
        said = await at.say("a")
        read = at.log.read

        async def unreachable(**wanted):
            at.log.read = read  # type: ignore[method-assign]
            raise LogUnavailableError("gone")

        at.log.read = unreachable  # type: ignore[method-assign]
        await until_idle(at.consumer(Trail()))
        assert await at.trail() == said


async def test_a_paused_consumer_waits_until_it_may_go_on() -> None:
    async with room() as at:
        await at.store.register("trail", partitions=1, start=0)
        await at.store.pause("trail", "an operator said so")
        said = await at.say("a")
        consumer = at.consumer(Trail())
        await until_idle(consumer)
        assert await at.trail() == []
        await at.store.pause("trail", None)
        at.clock.move(1)
        await until_idle(consumer)
        assert await at.trail() == said
