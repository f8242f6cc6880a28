"""Carries what was read to the reaction, and keeps what it did together with the checkpoint.

A page is one unit. If one of its entries fails, the page is done again isolated: a savepoint around each entry, so that
the failing one is set aside together with all the others' work. What fails only on leaving the unit, such as an emitted
event whose id is taken, or breaks the unit itself, is found by doing the same entries in a unit each.

Rows that span subjects are locked by units of other processes as well. One call locks its rows in their order; a second
one in the same unit might wait for whoever waits for the first one's. So a unit that locks such rows makes one call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tidings.consumers.faults import NOBODYS
from tidings.consumers.lane import Batch, Lane
from tidings.consumers.pace import Pace
from tidings.consumers.reacting import Reacting
from tidings.consumers.singly import Singly
from tidings.errors import CheckpointMovedError
from tidings.events.envelope import Entry
from tidings.log.driver import Position
from tidings.store.unit import Unit

ISOLATED_ENTRIES = 64


class Carrier:
    """Carries one lane's entries at a time; `pace` says how many to read for it."""

    def __init__(self, reacting: Reacting) -> None:
        self._reacting = reacting
        self._clock = reacting.ports.clock
        self._points = reacting.ports.points
        self._singly = Singly(reacting)
        self.pace = Pace(budget=reacting.store.facts.unit_seconds)

    async def carry(self, lane: Lane, batch: Batch, stopping: asyncio.Event, *, singly: bool = False) -> None:
        """Carry a page, or as much of it as one unit should do; find the entry that fails, if one does.

        `singly`: a unit for each entry from the start. Once `stopping` is set, no further unit is begun. The errors of
        `faults.NOBODYS` leave what is not kept yet to be done again.
        """
        if lane.is_careful or singly:
            ended = await self._singly.carry(lane, batch.entries, batch.upto, stopping)
            if ended.at == batch.upto:
                self._reacting.leases.moved(ended.trusted())
            return
        try:
            await self._together(lane, batch)
        except NOBODYS:
            raise
        except Exception:
            self._points.at("failure:rolled-back")
            if self._calls_once(lane):
                await self._singly.carry(lane, batch.entries, batch.upto, stopping)
            else:
                await self._isolated(lane, batch, stopping)

    def _calls_once(self, lane: Lane) -> bool:
        return lane.is_shared and self._reacting.reaction.spans

    async def _together(self, lane: Lane, batch: Batch) -> None:
        entries = batch.entries
        async with self._reacting.store.unit(*lane.claims) as unit:
            done, is_handled = await self._handle_slices(unit, lane, entries)
            self._points.at("unit:after-handlers")
            to = batch.upto if done == len(entries) else entries[done - 1].position
            unit.advance(to=to)
        self._reacting.leases.moved(lane.moved(to))
        self.pace = self.pace.read(done, len(entries))
        if is_handled:
            self._reacting.breaker.handled()

    async def _handle_slices(self, unit: Unit, lane: Lane, entries: Sequence[Entry]) -> tuple[int, bool]:
        """Handle as many entries as the pace allows; return how many, and whether there were any but followers."""
        done, spent, is_handled, begun = 0, 0.0, False, self._clock.monotonic()
        while done < len(entries):
            count = self.pace.slice(len(entries) - done, spent=spent)
            if count == 0:
                break
            is_handled |= await self._reacting.handle(unit, entries[done : done + count], gated=lane.is_gated)
            done += count
            spent = self._clock.monotonic() - begun
            self.pace = self.pace.took(done, spent)
            if self._calls_once(lane):
                break
        return done, is_handled

    async def _isolated(self, lane: Lane, batch: Batch, stopping: asyncio.Event) -> None:
        left = batch.entries
        while left and not stopping.is_set() and not self._reacting.must_stop:
            chunk = left[:ISOLATED_ENTRIES]
            upto = batch.upto if len(chunk) == len(left) else chunk[-1].position
            try:
                lane = await self._isolated_unit(lane, chunk, upto)
            except CheckpointMovedError:
                raise
            except Exception:  # on leaving, or the unit itself is broken: nobody knows yet who it was
                lane = await self._singly.carry(lane, chunk, upto, stopping)
            left = tuple(entry for entry in left if entry.position > lane.at)

    async def _isolated_unit(self, lane: Lane, chunk: Sequence[Entry], upto: Position) -> Lane:
        begun, to = self._clock.monotonic(), upto
        async with self._reacting.store.unit(*lane.claims) as unit:
            for entry in chunk:
                await self._handle_one(unit, entry, gated=lane.is_gated)
                if self._reacting.must_stop or self._clock.monotonic() - begun >= self.pace.budget:
                    to = upto if entry is chunk[-1] else entry.position
                    break
            unit.advance(to=to)
        lane = lane.moved(to)
        self._reacting.leases.moved(lane)
        return lane

    async def _handle_one(self, unit: Unit, entry: Entry, *, gated: bool) -> None:
        """Handle one entry in a savepoint of its own, or set it aside."""
        try:
            async with unit.savepoint():
                is_handled = await self._reacting.handle(unit, [entry], gated=gated)
        except NOBODYS:
            raise
        except Exception as error:
            await self._reacting.fail(unit, entry, error)
        else:
            if is_handled:
                self._reacting.breaker.handled()
