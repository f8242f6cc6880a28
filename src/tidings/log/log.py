"""The log as everyone uses it: one class above every driver.

Concurrent appends are kept together, each caller gets its own receipt, what fails for a passing reason is sent again.
Whoever measures a log wraps its driver.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from datetime import timedelta
from typing import Protocol

from tidings.errors import AppendInUnitError, CallerError, LogUnavailableError, RefusedError
from tidings.events.envelope import Entry, Envelope
from tidings.events.filter import EVERYTHING, Filter
from tidings.log.admission import check_expected, measured, with_repeats, without_repeats
from tidings.log.conflicts import refused
from tidings.log.driver import (
    NOTHING_EXPECTED,
    Condition,
    Facts,
    Head,
    History,
    LogDriver,
    Page,
    Position,
    Receipt,
    Write,
)
from tidings.log.flush import Queued, queued, retry_delay
from tidings.log.flushes import Flushes
from tidings.log.queue import Queue
from tidings.log.tip import Tip
from tidings.ports import Ports

TIMEOUT = timedelta(seconds=10)
TICK = 0.25


class Watch(Protocol):
    """Is told what only the log itself sees; once a flush, not once a write."""

    def answered(self, begun: Sequence[float]) -> None:
        """Be told when the writes of a flush that were just answered were begun, in monotonic time."""

    def refused(self, types: Sequence[str]) -> None:
        """Be told the types of a write that is not fit to be kept."""


class _Nobody:
    def answered(self, begun: Sequence[float]) -> None:
        return None

    def refused(self, types: Sequence[str]) -> None:
        return None


class Log:
    """Appends to and reads a driver's log, for all tasks of one event loop."""

    def __init__(self, driver: LogDriver, ports: Ports, *, watch: Watch | None = None) -> None:
        self._driver = driver
        self._watch: Watch = _Nobody() if watch is None else watch
        self._facts = driver.facts
        self._ports = ports
        self._queue = Queue()
        self._tip = Tip(driver)
        facts = driver.facts
        self._flushes = Flushes(self._queue, self._keep, at_once=facts.flushes_at_once, alone=facts.appends_one)
        self._tick: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._failure: LogUnavailableError | None = None

    @property
    def facts(self) -> Facts:
        """What the back end says about itself."""
        return self._facts

    @property
    def driver(self) -> LogDriver:
        """The back end's log, for those who need it bare."""
        return self._driver

    @property
    def queued_bytes(self) -> int:
        """About how many bytes of writes wait for the driver."""
        return self._queue.size

    async def append(
        self,
        envelopes: Sequence[Envelope],
        *,
        expected: Mapping[str, Position] = NOTHING_EXPECTED,
        condition: Condition | None = None,
        timeout: timedelta = TIMEOUT,
    ) -> Receipt:
        """Keep the envelopes durably, all of them or none, and return where they stand.

        One whose (source, id) is kept already, with the same content, is answered with its old position; if all are,
        the outcome is "duplicate". `expected`: subject -> position of its last entry the caller saw, 0 for none.
        `condition`: no entry that matches its filter may stand after its position. Both are judged after identity.

        ConflictError: an id is kept with other content, a subject has moved, the condition does not hold.
        EnvelopeError, EnvelopeTooLargeError: it cannot be kept as it is. AppendInUnitError: emit instead.
        LogUnavailableError: it could not be kept within the timeout, give or take a quarter of a second; nothing is
        known, so repeat the call with the same ids. LogBusyError: nor was there room to queue it; nothing was kept.

        Cancelling takes a write back that no flush has taken; one that was taken goes on.
        """
        self._check_may_append(expected, condition)
        try:
            identities, size = measured(envelopes, self._facts)
        except CallerError:
            self._watch.refused([envelope.type for envelope in envelopes])
            raise
        if len(identities) < len(envelopes):
            unique, which = without_repeats(envelopes)
            receipt = await Log.append(self, unique, expected=expected, condition=condition, timeout=timeout)
            return with_repeats(receipt, which)
        if not identities:
            return Receipt(outcome="duplicate")
        write = Write(envelopes=tuple(envelopes), expected=expected, condition=condition)
        begun = self._ports.clock.monotonic()
        is_single = len(envelopes) == 1 and not expected and condition is None
        if is_single and self._flushes.begin_alone(write):
            receipt = await self._keep_alone(write, begun, timeout.total_seconds())
        else:
            item = queued(write, identities, size=size, begun=begun, seconds=timeout.total_seconds())
            receipt = await self._enqueue(item)
        if receipt.conflict is not None:
            raise refused(receipt.conflict, expected)
        return receipt

    async def append_by(
        self,
        keep: Callable[[Write], Awaitable[Receipt]],
        envelopes: Sequence[Envelope],
        *,
        expected: Mapping[str, Position] = NOTHING_EXPECTED,
    ) -> Receipt:
        """Append as `append` does, but have somebody else `keep` the write, as part of a transaction of theirs."""
        self._check_may_expect(expected, None)
        measured(envelopes, self._facts)
        unique, which = without_repeats(envelopes)
        receipt = await keep(Write(envelopes=unique, expected=expected))
        if receipt.conflict is not None:
            raise refused(receipt.conflict, expected)
        return with_repeats(receipt, which)

    def _check_may_append(self, expected: Mapping[str, Position], condition: Condition | None) -> None:
        if self._driver.inside_unit:
            raise AppendInUnitError("a unit is open in this task, and an append would wait for its end: emit instead")
        if self._closing is not None:
            raise LogUnavailableError("the log is closed; nothing was kept")
        if expected or condition is not None:
            self._check_may_expect(expected, condition)

    def _check_may_expect(self, expected: Mapping[str, Position], condition: Condition | None) -> None:
        if expected and "subject" not in self._facts.expects:
            raise RefusedError(f"a log on {self._facts.name} cannot check what stands last of a subject")
        check_expected(expected)
        if condition is not None and "condition" not in self._facts.expects:
            raise RefusedError(f"a log on {self._facts.name} cannot check conditions")

    def _enqueue(self, item: Queued) -> asyncio.Future[Receipt]:
        self._queue.add(item)
        self._flushes.added(item)
        self._tick_for(item)
        return item.receipt

    def _tick_for(self, item: Queued) -> None:
        if self._tick is None:
            loop = asyncio.get_running_loop()
            self._tick = loop.call_later(min(TICK, item.deadline - item.begun), self._on_tick, loop)

    async def _keep_alone(self, write: Write, begun: float, seconds: float) -> Receipt:
        """Have a write kept in its caller's own task, which spares the turns of the loop that gathering takes.

        What becomes of it in any other way than by being appended is found by a flush, as for others. So it is if the
        caller is cancelled: what was taken goes on.
        """
        try:
            receipt = await self._driver.append_one(write.envelopes[0], seconds=seconds)
        except asyncio.CancelledError:
            self._leave(write, begun, seconds).add_done_callback(_forgotten)
            raise
        except BaseException:
            self._flushes.end_alone()
            raise
        if receipt is None:
            return await self._leave(write, begun, seconds)
        self._flushes.end_alone()
        self._watch.answered((begun,))
        return receipt

    def _leave(self, write: Write, begun: float, seconds: float) -> asyncio.Future[Receipt]:
        """Leave to a flush what its caller could not keep alone."""
        identities, size = measured(write.envelopes, self._facts)
        item = queued(write, identities, size=size, begun=begun, seconds=seconds)
        self._flushes.end_alone(item)
        self._tick_for(item)
        return item.receipt

    async def _keep(self, taken: Sequence[Queued]) -> None:
        """Send the writes, always together, until the driver answers or nobody waits for them any more."""
        writes = [item.write for item in taken]
        attempt = 0
        while not all(item.is_answered for item in taken):
            try:
                receipts = await self._driver.append(writes)
            except LogUnavailableError as error:
                self._failure = error
                attempt += 1
                await self._ports.clock.sleep(retry_delay(attempt, self._ports.random))
                self._queue.expire(self._ports.clock.monotonic(), error)
            except Exception as error:
                await self._keep_apart(taken, error)
            else:
                self._failure = None
                answer(taken, receipts)
                self._watch.answered([item.begun for item in taken])
                return

    async def _keep_apart(self, taken: Sequence[Queued], error: Exception) -> None:
        """Send the writes of a flush that no retry helps one by one, so that a bad one fails alone."""
        if len(taken) > 1:
            for item in taken:
                await self._keep([item])
        elif not taken[0].is_answered:
            taken[0].receipt.set_exception(error)

    def _on_tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """One timer for all who wait; it stops with them."""
        self._queue.expire(self._ports.clock.monotonic(), self._failure)
        self._tick = None if self._queue.is_idle else loop.call_later(TICK, self._on_tick, loop)

    async def read(self, *, after: Position, limit: int, where: Filter = EVERYTHING) -> Page:
        """See `LogDriver.read`. Readers near the head share what they read. ValueError if `limit` is below 1."""
        if limit < 1:
            raise ValueError(f"limit is {limit}: ask for 1 entry or more, since a page without any says nothing")
        return await self._tip.read(after=after, limit=limit, where=where)

    async def history(self, wanted: History) -> Sequence[Entry]:
        """See `LogDriver.history`."""
        return await self._driver.history(wanted)

    async def at(self, positions: Sequence[Position]) -> Sequence[Entry]:
        """See `LogDriver.at`."""
        return await self._driver.at(positions)

    async def find(self, source: str, id: str) -> Entry | None:
        """See `LogDriver.find`."""
        return await self._driver.find(source, id)

    async def last_of(self, subject: str) -> Position:
        """See `LogDriver.last_of`."""
        return await self._driver.last_of(subject)

    async def recorded_from(self, recorded: int) -> Position:
        """See `LogDriver.recorded_from`."""
        return await self._driver.recorded_from(recorded)

    async def count(self, *, after: Position, where: Filter, most: int) -> int:
        """See `LogDriver.count`."""
        return await self._driver.count(after=after, where=where, most=most)

    async def head(self) -> Head:
        """See `LogDriver.head`."""
        return await self._driver.head()

    async def wait(self, *, after: Position, timeout: timedelta) -> None:
        """See `LogDriver.wait`."""
        await self._driver.wait(after=after, timeout=timeout)

    async def close(self) -> None:
        """Refuse new writes, keep the queued ones, close the driver; twice is once."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(), context=Context())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self._flushes.finish()
        if self._tick is not None:
            self._tick.cancel()
        await self._tip.close()
        await self._driver.close()


def _forgotten(receipt: asyncio.Future[Receipt]) -> None:
    if not receipt.cancelled():
        receipt.exception()  # nobody waits for it any more


def answer(taken: Sequence[Queued], receipts: Sequence[Receipt]) -> None:
    """Hand each caller its own receipt, unless it has gone."""
    for item, receipt in zip(taken, receipts, strict=True):
        if not item.is_answered:
            item.receipt.set_result(receipt)
