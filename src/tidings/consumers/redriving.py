"""Parked subjects go back to the reaction, by schedule or because an operator said so: oldest entry first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tidings.consumers.faults import Suspicion
from tidings.consumers.reacting import Reacting
from tidings.consumers.retry import ATTEMPTS, LONGEST_SECONDS, UNREADABLE, died_reason, reason_of, told
from tidings.errors import NotFoundError, VersionUnreadableError
from tidings.events.envelope import Entry
from tidings.store.claims import Claim
from tidings.store.parking import Parked
from tidings.store.reason import Reason

TURN_ENTRIES = 64


class Redriving:
    """Redrives the subjects of a consumer that are due, a unit for each entry.

    An entry is redriven as if it came for the first time, also in a replay: it may never have been handled, and if it
    was, what it emits and delivers has its old ids.
    """

    def __init__(self, reacting: Reacting) -> None:
        self._reacting = reacting
        self._name = reacting.reaction.name
        self._suspicion = Suspicion()
        self._begun: tuple[int, Parked] | None = None

    async def turn(self, claims: Sequence[Claim], stopping: asyncio.Event) -> bool:
        """Redrive what is due, up to a turn's worth of entries; say whether more is due.

        A subject that fails stops there, and is put off. The errors of `faults.NOBODYS` count nothing.
        """
        by_part = {claim.part: claim for claim in claims}
        left = TURN_ENTRIES
        for due in await self._reacting.store.due(claims, now=self._reacting.ports.clock.now_us()):
            while await self._next(by_part[due.part], due.subject):
                left -= 1
                if left == 0 or stopping.is_set():
                    return True
        if left < TURN_ENTRIES:
            await self._reacting.aside.learn()
        return False

    async def _next(self, claim: Claim, subject: str) -> bool:
        """Redrive the subject's first entry; say whether it was handled."""
        store = self._reacting.store
        parked = await self._begin(claim, subject)
        letters = await store.dead_letters(self._name, subject, limit=1) if parked is not None else ()
        if parked is None or not letters:
            self._begun = None
            return False
        if parked.attempts > ATTEMPTS and parked.reason != UNREADABLE:
            await store.reschedule(claim, subject, died_reason(ATTEMPTS))
            self._begun = None
            return False
        return await self._try(claim, parked, letters[0].entry)

    async def _begin(self, claim: Claim, subject: str) -> Parked | None:
        """Count the attempt durably; one that a store out of reach broke off is not counted again."""
        if self._begun is not None:
            epoch, parked = self._begun
            if (epoch, parked.subject) == (claim.epoch, subject):
                return parked
        parked_now = await self._reacting.store.begin_redrive(claim, subject)
        self._reacting.ports.points.at("failure:attempt-written")
        self._begun = None if parked_now is None else (claim.epoch, parked_now)
        return parked_now

    async def _try(self, claim: Claim, parked: Parked, entry: Entry) -> bool:
        reacting, has_begun, is_there = self._reacting, False, False
        try:
            async with reacting.store.unit(claim) as unit:
                has_begun = True
                await unit.unpark(self._name, parked.subject, entry.position)
                is_there = True
                await reacting.react(unit, [entry])
        except Exception as error:
            if isinstance(error, NotFoundError) and not is_there:
                self._begun = None
                return True  # an operator dropped it meanwhile
            if isinstance(error, VersionUnreadableError):
                await self._leave(claim, parked, error)
                return False
            if not self._suspicion.is_fault(error, entry.position, has_begun=has_begun):
                raise
            await self._put_off(claim, parked, error)
            return False
        self._begun = None
        reacting.breaker.handled()
        return True

    async def _leave(self, claim: Claim, parked: Parked, error: VersionUnreadableError) -> None:
        """Have a subject wait for a release that reads it: no attempt failed, and none ends it."""
        later = self._reacting.ports.clock.now_us() + round(LONGEST_SECONDS * 1_000_000)
        reason = Reason(kind=UNREADABLE, error=told(error), next_at=later)
        await self._reacting.store.reschedule(claim, parked.subject, reason)
        self._reacting.ports.observer.unreadable(self._name)
        self._begun = None

    async def _put_off(self, claim: Claim, parked: Parked, error: Exception) -> None:
        ports = self._reacting.ports
        ports.points.at("failure:rolled-back")
        draw = ports.random.random()
        reason = reason_of(error, attempt=parked.attempts, now=ports.clock.now_us(), draw=draw)
        await self._reacting.store.reschedule(claim, parked.subject, reason)
        self._begun = None
        ports.points.at("failure:parked")
