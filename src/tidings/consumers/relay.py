"""Carries what waits in a store's outbox to the log, in order, each envelope once.

It waits there because whoever staged it does not control the commit: a unit whose log lies elsewhere, or somebody's own
transaction on the same database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from tidings.consumers.faults import PASSING
from tidings.errors import ConflictError, NotFoundError
from tidings.events.envelope import Entry, Envelope
from tidings.events.identity import lane_subject
from tidings.log.flush import retry_delay
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.reason import Reason
from tidings.store.unit import Unit
from tidings.versions.retelling import Retelling

PAGE = 1_000
LOOK_SECONDS = 0.5
DUE_SECONDS = 2.0
OUTBOX = "outbox"
"""Under this name an envelope is set aside whose id is taken: it is nobody's who reads the log."""
_log = logging.getLogger("tidings.consumers")


class Relay:
    """One at a time carries, whatever the number of processes that run one: a store gives its outbox to one unit only.

    Where store and log share their transactions, the append is part of the one that empties the outbox. Else it comes
    before that commits: a process that is killed between both appends again, under the same ids.
    """

    name = "relay"

    def __init__(self, store: StoreDriver, log: Log, ports: Ports, retelling: Retelling, *, page: int = PAGE) -> None:
        self._store = store
        self._log = log
        self._ports = ports
        self._retelling = retelling
        self._page = page
        self._woken = asyncio.Event()
        self._failures = 0
        self._next_due = float("-inf")

    def wake(self) -> None:
        """Have it look at once: something was staged here."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Carry until `stopping` is set; then finish the page under way. Store and log out of reach are waited for."""
        stopped = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                self._woken.clear()
                seconds = await self._step()
                if seconds > 0:
                    await self._rest(stopped, seconds)
        finally:
            stopped.cancel()
            await asyncio.gather(stopped, return_exceptions=True)

    async def _step(self) -> float:
        """Carry a page; return how long to rest."""
        now = self._ports.clock.monotonic()
        try:
            carried = await self.carry()
            if now >= self._next_due:
                self._next_due = now + DUE_SECONDS
                await self.redrive()
        except PASSING as error:
            if self._failures == 0:  # one line for a row of failures
                _log.warning("the relay tries again: %s", error)
            self._failures = min(self._failures + 1, 32)
            return retry_delay(self._failures, self._ports.random)
        self._failures = 0
        return 0 if carried == self._page else LOOK_SECONDS

    async def _rest(self, stopped: asyncio.Task[bool], seconds: float) -> None:
        woken = asyncio.create_task(self._woken.wait())
        try:
            await asyncio.wait((woken, stopped), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            with suppress(asyncio.CancelledError):
                await woken

    async def carry(self) -> int:
        """Carry what waits, a page at most; return how many envelopes that was.

        One whose id is kept with other content is set aside as a dead letter of `outbox`, and holds nobody up; one that
        tells in another version what is kept is taken for the repeat that it is.
        """
        try:
            return await self._carry(self._page)
        except ConflictError:
            return await self._singly()

    async def _singly(self) -> int:
        """Carry as much as a page, a unit for each envelope, so that it is seen which one is refused."""
        carried = 0
        while carried < self._page:
            try:
                last = await self._carry(1)
            except ConflictError as error:
                last = await self._carry(1, refused=error)
            carried += last
            if last == 0:
                break
        return carried

    async def _carry(self, limit: int, *, refused: ConflictError | None = None) -> int:
        """Carry so many. `refused`: why the first one of this identity is to be set aside instead."""
        begun = self._ports.clock.monotonic()
        async with self._store.unit() as unit:
            staged = await unit.take_outbox(limit=limit)
            kept = [each for each in staged if refused is None or not _is_of(refused, each.envelope)]
            for each in staged:
                if refused is not None and each not in kept and not await self._is_kept(each.envelope):
                    entry = Entry(each.n, self._ports.clock.now_us(), each.envelope)
                    await self._set_aside(unit, entry, refused)
            await self._append(unit, [each.envelope for each in kept])
        if kept:
            self._ports.observer.relayed(self._ports.clock.monotonic() - begun)
        return len(staged)

    async def redrive(self) -> None:
        """Append the first envelope of each subject that was set aside and is to be tried again."""
        now = self._ports.clock.now_us()
        for parked in await self._store.parked(OUTBOX):
            if parked.next_at is not None and parked.next_at <= now:
                for letter in await self._store.dead_letters(OUTBOX, parked.subject, limit=1):
                    await self._try(parked.subject, letter.entry)

    async def _try(self, subject: str, entry: Entry) -> None:
        try:
            async with self._store.unit() as unit:
                await unit.unpark(OUTBOX, subject, entry.position)
                await self._append(unit, [entry.envelope])
        except NotFoundError:
            return  # another process was first
        except ConflictError as error:
            is_kept = await self._is_kept(entry.envelope)
            async with self._store.unit() as unit:
                if is_kept:
                    await unit.unpark(OUTBOX, subject, entry.position)
                else:
                    await self._set_aside(unit, entry, error)

    async def _is_kept(self, envelope: Envelope) -> bool:
        """Say whether an envelope that was refused is in the log in another version, and says the same there."""
        return await self._retelling.as_kept([envelope]) != (envelope,)

    async def _append(self, unit: Unit, envelopes: Sequence[Envelope]) -> None:
        if self._store.facts.shares_transaction_with_log:
            for envelope in envelopes:
                unit.emit([envelope])
            return
        answers = asyncio.gather(*(self._log.append([each]) for each in envelopes), return_exceptions=True)
        self._ports.points.at("relay:published")
        refused = [answer for answer in await answers if isinstance(answer, BaseException)]
        self._ports.points.at("relay:answered")
        if refused:
            raise refused[0]

    async def _set_aside(self, unit: Unit, entry: Entry, error: ConflictError) -> None:
        envelope = entry.envelope
        subject = lane_subject(envelope.source, envelope.id, envelope.subject)
        said = (
            f"the staged event {(envelope.source, envelope.id)} is kept at {error.conflict.position} "
            "with other content; the others of its transaction were appended"
        )
        await unit.park(OUTBOX, subject, [entry], Reason(kind="id-taken", error=f"ConflictError: {said}", next_at=None))
        _log.error("set aside as a dead letter: %s", said)


def _is_of(refused: ConflictError, envelope: Envelope) -> bool:
    return (refused.conflict.source, refused.conflict.id) == (envelope.source, envelope.id)
