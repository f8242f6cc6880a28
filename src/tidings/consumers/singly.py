"""A unit for each entry: slow, and sure to know which one it is that fails, or that ends the process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tidings.consumers.faults import Suspicion
from tidings.consumers.lane import Lane
from tidings.consumers.reacting import Reacting
from tidings.consumers.retry import ATTEMPTS, died_reason
from tidings.errors import CheckpointMovedError
from tidings.events.envelope import Entry
from tidings.log.driver import Position


class Singly:
    """Carries entries one by one, each with its own checkpoint.

    In a careful lane, whose last owner died, each attempt is written down before the call: an entry whose handler ends
    the process must not be tried for ever. An attempt that ends without the process counts once, however often a store
    out of reach has it begun again.
    """

    def __init__(self, reacting: Reacting) -> None:
        self._reacting = reacting
        self._suspicion = Suspicion()
        self._attempted: tuple[int, Position] | None = None

    async def carry(self, lane: Lane, entries: Sequence[Entry], upto: Position, stopping: asyncio.Event) -> Lane:
        """Carry the entries; return the lane as far as it came: `upto` unless it was stopped."""
        for entry in entries:
            if stopping.is_set() or self._reacting.must_stop:
                return lane
            to = upto if entry is entries[-1] else entry.position
            if lane.is_careful and await self._has_killed(lane, entry):
                await self._give_up(lane, entry, to)
            else:
                await self._carry_one(lane, entry, to)
            lane = lane.moved(to)
            self._reacting.leases.moved(lane)
        return lane

    async def _carry_one(self, lane: Lane, entry: Entry, to: Position) -> None:
        reacting, is_handled, has_begun = self._reacting, False, False
        try:
            async with reacting.store.unit(*lane.claims) as unit:
                has_begun = True
                is_handled = await reacting.handle(unit, [entry], gated=lane.is_gated)
                unit.advance(to=to)
        except Exception as error:
            if not self._suspicion.is_fault(error, entry.position, has_begun=has_begun):
                raise
            reacting.ports.points.at("failure:rolled-back")
            async with reacting.store.unit(*lane.claims) as unit:
                await reacting.fail(unit, entry, error)
                unit.advance(to=to)
        if is_handled:
            reacting.breaker.handled()

    async def _has_killed(self, lane: Lane, entry: Entry) -> bool:
        """Write the attempt down; say whether the process ended in too many before."""
        claim = lane.claim_of(entry)
        if claim is None:
            raise CheckpointMovedError(f"the partition of the entry at {entry.position} is not held any more")
        if self._attempted == (claim.epoch, entry.position):
            return False
        attempt = await self._reacting.store.begin_attempt(claim, entry.position)
        self._reacting.ports.points.at("failure:attempt-written")
        self._attempted = (claim.epoch, entry.position)
        return attempt > ATTEMPTS

    async def _give_up(self, lane: Lane, entry: Entry, to: Position) -> None:
        reacting = self._reacting
        async with reacting.store.unit(*lane.claims) as unit:
            if await reacting.aside.free(unit, [entry]):
                await reacting.set_aside(unit, entry, died_reason(ATTEMPTS))
            unit.advance(to=to)
