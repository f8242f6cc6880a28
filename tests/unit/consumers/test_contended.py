"""A unit that is ended because two transactions wait for each other is nobody's fault, and done again at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.unit.consumers.room import Trail, room
from tidings.consumers.faults import TIMES_UNAVAILABLE, Suspicion
from tidings.consumers.retry import ATTEMPTS
from tidings.errors import ContendedError
from tidings.ports import NoObserver


class Counted(NoObserver):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.contended_by: list[str] = []

    def contended(self, consumer: str) -> None:
        self.contended_by.append(consumer)


async def test_it_is_done_again_at_once_counted_and_never_set_aside() -> None:
    counted = Counted()
    async with room() as at:
        at.ports = replace(at.ports, observer=counted)
        await at.say("a", "b")
        trail = Trail()
        left = 2 * ATTEMPTS

        def fault(_: object) -> BaseException | None:
            nonlocal left
            left -= 1
            return ContendedError("again") if left >= 0 else None

        trail.fault = fault
        consumer, before = at.consumer(trail), at.clock.monotonic()
        while left >= 0:
            assert await consumer.step(asyncio.Event()) is None, "there is nothing to wait for"
        assert at.clock.monotonic() == before
        assert len(await at.trail()) == 2
        assert await at.parked() == {}
        assert counted.contended_by == ["trail"] * 2 * ATTEMPTS


def test_an_entry_whose_unit_is_ended_so_each_time_is_not_suspected() -> None:
    suspicion = Suspicion()
    assert not any(suspicion.is_fault(ContendedError("again"), 1, has_begun=True) for _ in range(2 * TIMES_UNAVAILABLE))
