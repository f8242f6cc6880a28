"""Taking requests in: one transaction for all that come while another is under way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from itertools import chain
from typing import Literal

import msgspec

from tidings.errors import ConflictError, StoreUnavailableError
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.receipts import Arrival, Events, Judged, Received, items_of
from tidings.versions.retelling import Retelling
from tidings.webhooks.gathering import gathered

TOGETHER_MAX = 256
TOGETHER_BYTES = 4 * 1_048_576
"""A transaction takes no more bodies once they have so many bytes."""
WAIT_SECONDS = 2.0
TICK = 0.25
_LATE = f"it was not kept within {WAIT_SECONDS:.0f} s, or nobody knows: send it again"

Outcome = Literal["stored", "duplicate", "conflict", "failed"]


class Kept(msgspec.Struct, frozen=True, gc=False):
    """What became of a request, once it is committed. `n`: of its receipt, or of the one that it repeats."""

    n: int
    outcome: Outcome


class _Asked(msgspec.Struct, frozen=True):
    """A request that waits to be kept. `deadline`: of the monotonic clock."""

    arrival: Arrival
    kept: asyncio.Future[Kept]
    deadline: float


class Intake:
    """Keeps requests, each with its events in one transaction, and calls nobody's handler."""

    def __init__(self, store: StoreDriver, ports: Ports, retelling: Retelling) -> None:
        self._store = store
        self._ports = ports
        self._retelling = retelling
        self._waiting: deque[_Asked] = deque()
        self._unanswered: deque[_Asked] = deque()  # in the order in which they asked
        self._running: asyncio.Task[None] | None = None
        self._tick: asyncio.TimerHandle | None = None

    def keep(self, arrival: Arrival) -> asyncio.Future[Kept]:
        """Keep it durably, with its events, unless it is a repeat; return what it is.

        StoreUnavailableError, LogUnavailableError: it is not kept, or nobody knows, so that it must come again; that
        does it no harm. No longer than `WAIT_SECONDS`, give or take `TICK`. Who is cancelled takes nothing back that is
        under way.
        """
        loop = asyncio.get_running_loop()
        asked = _Asked(arrival, loop.create_future(), loop.time() + WAIT_SECONDS)
        self._waiting.append(asked)
        self._unanswered.append(asked)
        if self._running is None:
            self._running = loop.create_task(self._run(), context=Context())
        if self._tick is None:
            self._tick = loop.call_later(TICK, self._on_tick, loop)
        return asked.kept

    def _on_tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """One timer for all who wait; it stops with them."""
        now, unanswered = loop.time(), self._unanswered
        while unanswered and (unanswered[0].kept.done() or unanswered[0].deadline <= now):
            kept = unanswered.popleft().kept
            if not kept.done():
                kept.set_exception(StoreUnavailableError(_LATE))
        self._tick = loop.call_later(TICK, self._on_tick, loop) if unanswered else None

    async def close(self) -> None:
        """Come back when all that was asked for is answered."""
        if self._running is not None:
            await asyncio.shield(self._running)
        if self._tick is not None:
            self._tick.cancel()

    async def _run(self) -> None:
        while self._waiting:
            await gathered()  # those that the last one answered send what is next meanwhile
            taken = self._next()
            if taken:
                await self._take_in(taken)
        self._running = None

    def _next(self) -> list[_Asked]:
        taken: list[_Asked] = []
        size = 0
        while self._waiting and len(taken) < TOGETHER_MAX and size < TOGETHER_BYTES:
            asked = self._waiting.popleft()
            if not asked.kept.done():  # else nobody waits for it any more
                taken.append(asked)
                size += len(asked.arrival.received.body)
        return taken

    async def _take_in(self, taken: Sequence[_Asked]) -> None:
        try:
            kept = await self._together([asked.arrival for asked in taken])
        except Exception as error:
            if len(taken) > 1 and not isinstance(error, StoreUnavailableError):
                for one in taken:  # a bad one fails alone
                    await self._take_in([one])
                return
            for asked in taken:
                if not asked.kept.done():
                    asked.kept.set_exception(error)
            return
        for asked, each in zip(taken, kept, strict=True):
            if not asked.kept.done():
                asked.kept.set_result(each)

    async def _together(self, arrivals: Sequence[Arrival]) -> list[Kept]:
        try:
            judged = await self._kept(arrivals)
        except ConflictError as error:
            if len(arrivals) > 1:
                raise
            judged = await self._again(arrivals[0], error)
        repeated = [arrival for arrival, each in zip(arrivals, judged, strict=True) if each.verdict == "duplicate"]
        if repeated:
            await self._wake(repeated)
        return [_kept_of(arrival, each) for arrival, each in zip(arrivals, judged, strict=True)]

    async def _again(self, arrival: Arrival, error: ConflictError) -> Sequence[Judged]:
        """Keep it with its events as they are in the log, where it tells them in another version; or as a conflict, of
        which the other items are new."""
        events = tuple([await self._retelling.as_kept(of_item) for of_item in arrival.events])
        try:
            return await self._kept([Arrival(received=arrival.received, events=events)])
        except ConflictError:
            items = items_of(events, await self._retelling.differing(chain.from_iterable(events)))
        try:
            return await self._kept([_refused(arrival.received, events, items, error)])
        except ConflictError:  # they contradict each other, or another one came meanwhile
            return await self._kept([_refused(arrival.received, events, frozenset(range(len(events))), error)])

    async def _kept(self, arrivals: Sequence[Arrival]) -> Sequence[Judged]:
        async with self._store.unit() as unit:
            unit.receive(arrivals)
        self._ports.points.at("receiver:committed")
        return unit.judged

    async def _wake(self, repeated: Sequence[Arrival]) -> None:
        """Have what a repeat is about handled now, if it failed and waits: a repeat hides no unfinished work."""
        if not await self._store.parked():
            return
        for arrival in repeated:
            ids = [event.id for events in arrival.events for event in events]
            await self._store.redrive_events(arrival.received.source, ids, at=self._ports.clock.now_us())


def _refused(received: Received, events: Events, items: frozenset[int], error: ConflictError) -> Arrival:
    """Return it as one of which these items' events are in the log with other content."""
    refused = msgspec.structs.replace(received, refused=items, error=str(error)[:2_000])
    return Arrival(received=refused, events=events)


def _kept_of(arrival: Arrival, judged: Judged) -> Kept:
    if judged.verdict in ("duplicate", "conflict"):
        return Kept(judged.n, "conflict" if judged.verdict == "conflict" else "duplicate")
    return Kept(judged.n, "failed" if arrival.received.outcome == "failed" else "stored")
