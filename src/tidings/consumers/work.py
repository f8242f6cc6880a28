"""What a consumer does next: one step at a time, so that whoever runs it decides when to stop and when to wait."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from tidings.consumers.breaker import PARKED_ENTRIES
from tidings.consumers.carrier import Carrier
from tidings.consumers.faults import PASSING, TIMES_UNAVAILABLE
from tidings.consumers.lane import Batch, Lane, next_lane
from tidings.consumers.leases import LOOK_SECONDS
from tidings.consumers.pace import FIRST_LIMIT
from tidings.consumers.reacting import Reacting
from tidings.consumers.redriving import Redriving
from tidings.errors import (
    CheckpointMovedError,
    ContendedError,
    PositionExpiredError,
    StoreUnavailableError,
    TidingsError,
    VersionUnreadableError,
)
from tidings.events.filter import Filter
from tidings.log.driver import Position
from tidings.log.flush import retry_delay
from tidings.log.log import Log

DUE_SECONDS = 1.0
IDLE_SECONDS = 10.0
SETTLE_SECONDS = 0.05
SETTLE_SECONDS_MOST = 0.5
_log = logging.getLogger("tidings.consumers")


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do for so many seconds. `after`: sooner if the log has an entry after this position; None: it is no
    use to look."""

    seconds: float
    after: Position | None = None


class Work:
    """One consumer's work. `carries`: see `Consumer`."""

    def __init__(self, reacting: Reacting, log: Log, *, carries: bool) -> None:
        self._reacting = reacting
        self._log = log
        self._ports = reacting.ports
        self._leases = reacting.leases
        self._carries = carries
        self._types = reacting.reaction.types
        self._carrier = Carrier(reacting)
        self._redriving = Redriving(reacting)
        self._is_registered = False
        self._next_due = float("-inf")
        self._unsettled_since: float | None = None
        self._failures = 0
        self._unavailable = 0

    def begin(self) -> None:
        """Begin, also once more after an end: meanwhile the consumer may have been forgotten."""
        self._is_registered = False

    async def step(self, stopping: asyncio.Event) -> Rest | None:
        """Do one page, or some redrives, or whatever is next; return how long to rest, None to go on at once.

        A store or a log out of reach is tried again after a while, and so is a lost lease. LogRewoundError and
        PositionExpiredError if the log does not have what comes next.
        """
        try:
            rest = await self._step(stopping)
        except CheckpointMovedError as error:
            await self._let_go()
            return self._back_off(error)
        except ContendedError:  # by now the other one goes on: the database has waited for it
            self._ports.observer.contended(self._reacting.reaction.name)
            return None
        except PositionExpiredError as error:
            raise _removed_before(self._reacting.reaction.name, error.floor) from error
        except PASSING as error:
            self._unavailable += isinstance(error, StoreUnavailableError)
            return self._back_off(error)
        self._failures = self._unavailable = 0
        return rest

    def _back_off(self, error: TidingsError) -> Rest:
        if self._failures == 0:  # one line for a row of failures
            _log.warning("%s tries again: %s", self._reacting.reaction.name, error)
        self._failures = min(self._failures + 1, 32)
        return Rest(retry_delay(self._failures, self._ports.random))

    async def _let_go(self) -> None:
        try:
            await self._leases.let_go()
        except PASSING:
            return  # they end by themselves

    async def _step(self, stopping: asyncio.Event) -> Rest | None:
        if not self._is_registered:
            await self._leases.register()
            self._is_registered = True
        if await self._leases.look():
            self._reacting.aside.forget()
            self._next_due = float("-inf")
        if not self._leases.parts:
            return Rest(LOOK_SECONDS)
        if not self._reacting.aside.is_known:
            await self._reacting.aside.learn()
        await self._redrive(stopping)
        if stopping.is_set() or not self._leases.parts:
            return None
        if not self._carries:
            return await self._follow()
        return await self._pause() or await self._carry(stopping)

    async def _redrive(self, stopping: asyncio.Event) -> None:
        now = self._ports.clock.monotonic()
        if now < self._next_due or (self._carries and self._reacting.aside.is_empty):
            return
        claims = [part.claim for part in self._leases.parts]
        if not await self._redriving.turn(claims, stopping):
            self._next_due = now + DUE_SECONDS

    async def _pause(self) -> Rest | None:
        breaker, aside, now = self._reacting.breaker, self._reacting.aside, self._ports.clock.monotonic()
        if not breaker.is_pausing(now) and aside.entries >= PARKED_ENTRIES:
            await aside.learn()
            if aside.entries >= PARKED_ENTRIES:
                breaker.pause(now, f"{aside.entries} entries are set aside; redrive or drop them")
        return Rest(min(DUE_SECONDS, breaker.until - now)) if breaker.is_pausing(now) else None

    async def _carry(self, stopping: asyncio.Event) -> Rest | None:
        lane = next_lane(self._leases.parts)
        limit = FIRST_LIMIT if lane.is_careful else self._carrier.pace.limit
        where = Filter(types=self._types, slots=lane.slots)
        batch = lane.batch(await self._log.read(after=lane.at, limit=limit, where=where), limit=limit)
        if not batch.entries:
            return await self._pass_over(lane, batch)
        self._ports.points.at("unit:read")
        self._unsettled_since = None
        try:
            await self._carrier.carry(lane, batch, stopping, singly=self._unavailable >= TIMES_UNAVAILABLE)
        except VersionUnreadableError as error:
            await self._stop_before(lane, batch, error)
        return None

    async def _stop_before(self, lane: Lane, batch: Batch, error: VersionUnreadableError) -> None:
        """Carry what comes before the entry that cannot be read; once it is the next one, give its partition back.

        It may also be one in a row's history, which an entry of this page would have folded anew.
        """
        before = batch.before(error.position)
        parts = {part.claim.part: part for part in self._leases.parts}
        lane = replace(lane, parts=tuple(parts.get(part.claim.part, part) for part in lane.parts))
        left = Batch(tuple(each for each in before.entries if each.position > lane.at), before.upto, True)
        if left.entries and len(batch.entries) > 1:
            try:
                await self._carrier.carry(lane, left, asyncio.Event())
                return
            except VersionUnreadableError:
                if len(left.entries) > 1:
                    return  # its first entries are next, and are looked at alone
                batch = left
        self._ports.observer.unreadable(self._reacting.reaction.name)
        _log.warning("%s stops a partition: version-unreadable: %s", self._reacting.reaction.name, error)
        first = batch.entries[0]
        claim = lane.claim_of(first)
        if claim is not None:
            await self._leases.stop(claim, position=first.position, why=f"version-unreadable: {error}")

    async def _pass_over(self, lane: Lane, batch: Batch) -> Rest | None:
        """Go past entries that are not of interest. The checkpoint follows once nothing more comes, or after a while.

        It has to follow, since whoever waits for this consumer to reach a position looks at it.
        """
        now = self._ports.clock.monotonic()
        has_moved = batch.upto > lane.at
        if has_moved:
            lane = lane.read_to(batch.upto)
            self._leases.moved(lane)
        if lane.is_unsettled:
            since = self._unsettled_since = now if self._unsettled_since is None else self._unsettled_since
            if not has_moved or now - since >= SETTLE_SECONDS_MOST:
                await self._settle(lane)
        if batch.is_full or len(lane.parts) < len(self._leases.parts):
            return None
        return Rest(self._patience(lane), after=lane.at)

    def _patience(self, lane: Lane) -> float:
        if self._unsettled_since is not None:
            return SETTLE_SECONDS
        if lane.is_shared:
            return LOOK_SECONDS
        return IDLE_SECONDS if self._reacting.aside.is_empty else DUE_SECONDS

    async def _settle(self, lane: Lane) -> None:
        async with self._reacting.store.unit(*lane.claims) as unit:
            unit.advance(to=lane.at)
        self._leases.moved(lane.moved(lane.at))
        self._unsettled_since = None

    async def _follow(self) -> Rest:
        """What appends have folded is settled: the checkpoint follows the log, a while behind it."""
        head = (await self._log.head()).position
        lane = next_lane(self._leases.parts)
        if head > lane.at:
            await self._settle(lane.read_to(head))
        return Rest(DUE_SECONDS)


def _removed_before(name: str, floor: Position) -> PositionExpiredError:
    """Return what to tell of a consumer that would pass over entries in silence if it went on by itself."""
    return PositionExpiredError(
        f"{name} has not read all that was removed from the log, up to position {floor}: put it back, or have {name} "
        f"begin with what is kept, and without what is not, by `tidings consumers begin {name}`",
        floor=floor,
    )
