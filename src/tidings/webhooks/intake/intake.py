"""Taking requests in: one transaction for all that come while another is under way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Literal

import msgspec

from tidings.errors import ConflictError, StoreUnavailableError
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.receipts import Judged
from tidings.store.unit import Unit
from tidings.webhooks.intake.translating import Arrival

TOGETHER_MAX = 256
TOGETHER_BYTES = 4 * 1_048_576
"""A transaction takes no more bodies once they have so many bytes."""
WAIT_SECONDS = 2.0

Outcome = Literal["stored", "duplicate", "conflict", "failed"]


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a request, once it is committed. `n`: of its receipt, or of the one that it repeats."""

    n: int
    outcome: Outcome


class Intake:
    """Keeps requests, each with its events in one transaction, and calls nobody's handler."""

    def __init__(self, store: StoreDriver, ports: Ports) -> None:
        self._store = store
        self._ports = ports
        self._waiting: deque[tuple[Arrival, asyncio.Future[Kept]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def keep(self, arrival: Arrival) -> Kept:
        """Keep it durably, with its events, unless it is a repeat; return what it is.

        StoreUnavailableError, LogUnavailableError: it is not kept, or nobody knows, so that it must come again; that
        does it no harm. No longer than `WAIT_SECONDS`. Who is cancelled takes nothing back that is under way.
        """
        future: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, future))
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run(), context=Context())
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await future
        except TimeoutError:
            raise StoreUnavailableError(
                f"it was not kept within {WAIT_SECONDS:.0f} s, or nobody knows: send it again"
            ) from None

    async def close(self) -> None:
        """Come back when all that was asked for is answered."""
        if self._running is not None:
            await asyncio.shield(self._running)

    async def _run(self) -> None:
        while self._waiting:
            taken = self._next()
            if taken:
                await self._take_in(taken)
        self._running = None

    def _next(self) -> list[tuple[Arrival, asyncio.Future[Kept]]]:
        taken: list[tuple[Arrival, asyncio.Future[Kept]]] = []
        size = 0
        while self._waiting and len(taken) < TOGETHER_MAX and size < TOGETHER_BYTES:
            arrival, future = self._waiting.popleft()
            if not future.done():  # else nobody waits for it any more
                taken.append((arrival, future))
                size += len(arrival.received.body)
        return taken

    async def _take_in(self, taken: Sequence[tuple[Arrival, asyncio.Future[Kept]]]) -> None:
        try:
            kept = await self._together([arrival for arrival, _ in taken])
        except Exception as error:
            if len(taken) > 1 and not isinstance(error, StoreUnavailableError):
                for one in taken:  # a bad one fails alone
                    await self._take_in([one])
                return
            for _, future in taken:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), each in zip(taken, kept, strict=True):
            if not future.done():
                future.set_result(each)

    async def _together(self, arrivals: Sequence[Arrival]) -> list[Kept]:
        try:
            judged = await self._kept(arrivals)
        except ConflictError as error:
            if len(arrivals) > 1:
                raise
            judged = await self._kept([_refused(arrivals[0], error)])
        await self._wake([arrival for arrival, each in zip(arrivals, judged, strict=True) if _is_done(each)])
        return [_kept_of(arrival, each) for arrival, each in zip(arrivals, judged, strict=True)]

    async def _kept(self, arrivals: Sequence[Arrival]) -> Sequence[Judged]:
        async with self._store.unit() as unit:
            judged = await unit.receive([arrival.received for arrival in arrivals])
            self._ports.points.at("receiver:receipt-written")
            for arrival, each in zip(arrivals, judged, strict=True):
                await _emit(unit, arrival, each)
        self._ports.points.at("receiver:committed")
        return judged

    async def _wake(self, repeated: Sequence[Arrival]) -> None:
        """Have what a repeat is about handled now, if it failed and waits: a repeat hides no unfinished work."""
        if not repeated or not await self._store.parked():
            return
        for arrival in repeated:
            ids = [event.id for events in arrival.events for event in events]
            await self._store.redrive_events(arrival.received.source, ids, at=self._ports.clock.now_us())


async def _emit(unit: Unit, arrival: Arrival, judged: Judged) -> None:
    if arrival.received.outcome != "stored" or judged.verdict not in ("new", "unfinished"):
        return
    if judged.verdict == "unfinished":
        received = arrival.received
        await unit.finish_receipt(judged.n, received.identities, received.items, at=None)
    identified = {identity.item for identity in arrival.received.identities} - judged.fresh
    events = [event for item, made in enumerate(arrival.events) if item not in identified for event in made]
    if events:
        unit.emit(events)


def _refused(arrival: Arrival, error: ConflictError) -> Arrival:
    """Return it as one whose event is in the log with other content."""
    received = msgspec.structs.replace(arrival.received, outcome="conflict", error=str(error)[:2_000])
    return Arrival(received=received, events=())


def _is_done(judged: Judged) -> bool:
    return judged.verdict == "duplicate"


def _kept_of(arrival: Arrival, judged: Judged) -> Kept:
    if judged.verdict in ("duplicate", "conflict"):
        return Kept(judged.n, "conflict" if judged.verdict == "conflict" else "duplicate")
    return Kept(judged.n, "failed" if arrival.received.outcome == "failed" else "stored")
