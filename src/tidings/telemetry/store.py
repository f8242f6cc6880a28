"""A store that is measured: it passes every call on, and counts what units kept, and who was refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar, cast

from tidings.errors import CheckpointMovedError
from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import Position
from tidings.store.audit import Change
from tidings.store.claims import Claim
from tidings.store.deliveries import ClaimedDelivery
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, Claiming, Decide, Ending, Settled, Turned
from tidings.store.keyed import Keyed, Request
from tidings.store.parking import Parked
from tidings.store.reason import Reason
from tidings.store.through import Through
from tidings.store.unit import Unit
from tidings.telemetry.calls import Calls
from tidings.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from tidings.telemetry.otel import Traces

T = TypeVar("T")
DELIVERIES = "deliveries"


def metered_store(store: StoreDriver, metrics: Metrics, calls: Calls, traces: Traces | None = None) -> StoreDriver:
    """Return the store, measured."""
    return cast(StoreDriver, _MeteredStore(store, _Watch(metrics, calls, traces)))


@dataclass(frozen=True, slots=True)
class _Watch:
    """Who is told."""

    metrics: Metrics
    calls: Calls
    traces: Traces | None

    def settling(self, claims: Sequence[Claim]) -> AbstractContextManager[None]:
        """Trace the commit of a unit of these claims; a command settles nothing."""
        if self.traces is None or not claims:
            return nullcontext()
        part = claims[0].part if len(claims) == 1 else None
        return self.traces.settle(claims[0].consumer, part=part, count=self.calls.mark(claims[0].consumer))


class _MeteredStore(Through[StoreDriver]):
    def __init__(self, store: StoreDriver, watch: _Watch) -> None:
        super().__init__(store)
        self._watch = watch
        self._metrics = watch.metrics
        self._calls = watch.calls

    def unit(self, *claims: Claim) -> AbstractAsyncContextManager[Unit]:
        return _Open(self._inner.unit(*claims), self._watch, claims)

    def keyed(self, request: Request) -> AbstractAsyncContextManager[Keyed[StoreDriver]]:
        return self._counted(self._inner.keyed(request))  # asked at once: it may be refused

    @asynccontextmanager
    async def _counted(
        self, keyed: AbstractAsyncContextManager[Keyed[StoreDriver]]
    ) -> AsyncIterator[Keyed[StoreDriver]]:
        async with keyed as open_request:
            yield open_request
        self._metrics.appended(open_request.appended)

    @asynccontextmanager
    async def changing(self, change: Change) -> AsyncIterator[StoreDriver]:
        async with self._inner.changing(change) as changing:
            yield changing
        self._metrics.appended(changing.appended)

    async def renew(self, claims: Sequence[Claim], *, ttl: timedelta) -> Sequence[Claim]:
        ours = await self._inner.renew(claims, ttl=ttl)
        if len(ours) < len(claims):
            self._metrics.leases_lost.add(claims[0].consumer, count=len(claims) - len(ours))
        return ours

    async def begin_attempt(self, claim: Claim, position: Position) -> int:
        return await self._fenced(claim.consumer, self._inner.begin_attempt(claim, position))

    async def begin_redrive(self, claim: Claim, subject: str) -> Parked | None:
        parked = await self._fenced(claim.consumer, self._inner.begin_redrive(claim, subject))
        if parked is not None:
            self._calls.attempted(parked)
        return parked

    async def reschedule(self, claim: Claim, subject: str, reason: Reason) -> None:
        await self._fenced(claim.consumer, self._inner.reschedule(claim, subject, reason))
        self._calls.put_off(claim, subject, reason)

    async def settle_delivery(self, claimed: ClaimedDelivery, reason: Reason | None) -> None:
        await self._fenced(DELIVERIES, self._inner.settle_delivery(claimed, reason))
        if reason is not None and reason.next_at is not None:
            self._metrics.retries.add(claimed.delivery.service, reason.kind)

    async def settle_endpoint_deliveries(self, claimed: Sequence[ClaimedEndpointDelivery], decide: Decide) -> Settled:
        return await self._fenced(DELIVERIES, self._inner.settle_endpoint_deliveries(claimed, decide))

    async def turn_endpoint_deliveries(
        self, ending: Ending, claiming: Claiming | None, *, ttl: timedelta
    ) -> Turned | None:
        return await self._fenced(DELIVERIES, self._inner.turn_endpoint_deliveries(ending, claiming, ttl=ttl))

    async def _fenced(self, consumer: str, write: Awaitable[T]) -> T:
        try:
            return await write
        except CheckpointMovedError:
            self._metrics.fenced.add(consumer)
            raise


class _MeteredUnit(Through[Unit]):
    def __init__(self, unit: Unit, watch: _Watch, consumer: str | None) -> None:
        super().__init__(unit)
        self._calls = watch.calls
        self._traces = watch.traces
        self._consumer = consumer

    def emit(self, envelopes: Sequence[Envelope]) -> None:
        self._inner.emit(envelopes if self._traces is None or not envelopes else self._traces.emit(envelopes))

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        mark = None if self._consumer is None else self._calls.mark(self._consumer)
        try:
            async with self._inner.savepoint():
                yield
        except BaseException:
            if self._consumer is not None and mark is not None:
                self._calls.undo(self._consumer, mark)
            raise

    async def park(self, consumer: str, subject: str, entries: Sequence[Entry], reason: Reason | None) -> None:
        await self._inner.park(consumer, subject, entries, reason)
        if reason is not None and consumer == self._consumer:
            self._calls.set_aside(consumer, entries[0], reason)

    async def unpark(self, consumer: str, subject: str, position: Position) -> None:
        await self._inner.unpark(consumer, subject, position)
        if consumer == self._consumer:
            self._calls.redrives(consumer)


class _Open(AbstractAsyncContextManager[Unit, None]):
    """A unit of one consumer, or of a command."""

    def __init__(self, unit: AbstractAsyncContextManager[Unit], watch: _Watch, claims: Sequence[Claim]) -> None:
        self._inner = unit
        self._watch = watch
        self._metrics = watch.metrics
        self._calls = watch.calls
        self._claims = claims
        self._consumer = claims[0].consumer if claims else None

    async def __aenter__(self) -> Unit:
        self._unit = await self._inner.__aenter__()
        if self._consumer is not None:
            self._calls.begin(self._claims)
        return cast(Unit, _MeteredUnit(self._unit, self._watch, self._consumer))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_kept = False
        try:
            with self._watch.settling(self._claims if error is None else ()):
                await self._inner.__aexit__(kind, error, trace)
            is_kept = error is None
        except CheckpointMovedError:
            if self._consumer is not None and error is None:
                self._metrics.fenced.add(self._consumer)
            raise
        finally:
            if self._consumer is not None:
                self._calls.end(self._consumer, is_kept=is_kept)
        if is_kept and self._unit.receipts:
            self._metrics.appended(zip(self._unit.emitted, self._unit.receipts, strict=True))
