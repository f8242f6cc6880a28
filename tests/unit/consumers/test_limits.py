"""The limits of consumers by the numbers that are promised, whatever the code calls them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.unit.consumers.clock import START_US
from tests.unit.consumers.room import Room, Trail, room, until_idle
from tidings.backends.postgres import store as on_postgresql
from tidings.backends.sqlite import store as on_sqlite
from tidings.consumers.breaker import Breaker
from tidings.consumers.leases import Leases
from tidings.consumers.pace import Pace
from tidings.consumers.retry import Park, RetryAfter, decide
from tidings.events.envelope import Entry, Envelope
from tidings.store.claims import Claim
from tidings.store.reason import Reason

TURNS = 20


@pytest.mark.parametrize(("subjects", "pauses"), [(19, False), (20, True)])
async def test_twenty_subjects_that_fail_in_a_row_pause_a_consumer(subjects: int, pauses: bool) -> None:
    breaker = Breaker("trail")
    for n in range(subjects):
        breaker.failed(f"s{n}", ValueError(), now=0.0)
    assert breaker.is_pausing(0.0) is pauses


async def set_aside(at: Room, count: int) -> None:
    """Have this many entries wait for an operator."""
    why = Reason(kind="handler-failed", error="no", next_at=None)
    letters = [Entry(n, START_US, Envelope(id=str(n), source="/test", type="said", subject="a")) for n in range(count)]
    async with at.store.unit() as unit:
        await unit.park("trail", "a", letters, why)


@pytest.mark.parametrize(("entries", "pauses"), [(9_999, False), (10_000, True)])
async def test_ten_thousand_entries_set_aside_pause_a_consumer(entries: int, pauses: bool) -> None:
    async with room() as at:
        await set_aside(at, entries)
        said = await at.say("b")
        await until_idle(at.consumer(Trail()))
        assert await at.trail() == ([] if pauses else said)


def test_six_attempts_are_made_1_4_16_64_and_256_seconds_apart() -> None:
    decisions = [decide(ValueError(), attempt, 0.5) for attempt in range(1, 7)]
    assert decisions == [*map(RetryAfter, (1.0, 4.0, 16.0, 64.0, 256.0)), Park("handler-failed")]


async def test_a_lease_is_asked_for_and_renewed_for_eight_seconds() -> None:
    async with room() as at:
        asked: list[timedelta] = []
        claim, renew = at.store.claim, at.store.renew

        async def claims(consumer: str, *, owner: str, want: int, ttl: timedelta) -> Sequence[Claim]:
            asked.append(ttl)
            return await claim(consumer, owner=owner, want=want, ttl=ttl)

        async def renews(claims: Sequence[Claim], *, ttl: timedelta) -> Sequence[Claim]:
            asked.append(ttl)
            return await renew(claims, ttl=ttl)

        at.store.claim, at.store.renew = claims, renews  # type: ignore[method-assign]
        leases = Leases("trail", store=at.store, ports=at.ports, owner="me")
        await leases.register()
        await leases.look()
        await leases.renew()
        assert asked == [timedelta(seconds=8)] * 2
        at.clock.move(7.999)
        assert len(leases.parts) == 1
        at.clock.move(0.001)
        assert leases.parts == ()


async def turns() -> None:
    """Let everything run that waits for nothing but its turn."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def test_a_consumer_renews_its_leases_every_two_seconds() -> None:
    async with room() as at:
        renewed: list[float] = []
        begun = at.clock.monotonic()

        async def renews(claims: Sequence[Claim], **more: Any) -> Sequence[Claim]:
            renewed.append(round(at.clock.monotonic() - begun, 1))
            return claims

        at.store.renew = renews  # type: ignore[method-assign]
        stopping = asyncio.Event()
        running = asyncio.create_task(at.consumer(Trail()).run(stopping))
        await turns()
        for _ in range(65):
            at.clock.move(0.1)
            await turns()
        stopping.set()
        await running
        assert renewed == [2.0, 4.0, 6.0]


def test_pages_begin_at_100_entries_and_grow_to_1000() -> None:
    pace, limits = Pace(0.020), []
    for _ in range(6):
        limits.append(pace.limit)
        pace = pace.read(pace.limit, pace.limit)
    assert limits == [100, 200, 400, 800, 1_000, 1_000]


def test_a_unit_takes_what_fits_into_20_milliseconds_on_sqlite_and_into_50_on_postgresql() -> None:
    assert (on_sqlite.UNIT_SECONDS, on_postgresql.UNIT_SECONDS) == (0.020, 0.050)
    for seconds, fits in ((0.020, 20), (0.050, 50)):
        assert Pace(seconds, each=0.001).slice(1_000, spent=0.0) == fits
        assert Pace(seconds, each=0.001).slice(1_000, spent=seconds) == 0


async def test_at_most_64_entries_are_handled_in_one_unit_of_savepoints() -> None:
    async with room() as at:
        said = await at.say(*[f"s{n}" for n in range(100)])
        trail, units = Trail(), []
        trail.fault = lambda entry: ValueError("no") if entry.position == said[0] else None
        unit = at.store.unit

        def begun(*claims: Claim) -> Any:
            units.append(len(trail.calls))
            return unit(*claims)

        at.store.unit = begun  # type: ignore[method-assign]
        await until_idle(at.consumer(trail))
        at.store.unit = unit  # type: ignore[method-assign]
        handled = [later - earlier for earlier, later in pairwise([*units, len(trail.calls)])]
        assert handled == [1, 64, 36]
        assert await at.trail() == said[1:]
