"""A unit whose operations are a back end's statements. How it begins, undoes and ends is the back end's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from tidings.errors import RefusedError
from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import Position, Receipt, Write
from tidings.ports import Ports
from tidings.store.claims import Claim
from tidings.store.deliveries import Delivery
from tidings.store.emitted import Emitted
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, Decide, EndpointDelivery, Settled
from tidings.store.endpoints import EndpointRecord
from tidings.store.note_store import Note, Span
from tidings.store.parking import Parking
from tidings.store.reason import Reason
from tidings.store.receipts import Arrival, Identity, Judged
from tidings.store.rows import Key, Rank, Row, ViewTable
from tidings.store.scripts import keeping, noting, reopening, settling, standing
from tidings.store.staging import Staged
from tidings.store.statements import Job, Statements, TableStatements
from tidings.store.unit import Sql

T = TypeVar("T")
ConnectionT = TypeVar("ConnectionT")
NowT = TypeVar("NowT")


class LogBeside(Protocol):
    """The log, where it lies in the same database."""

    def appended(self) -> None:
        """Be told that what was appended in a unit is committed: who waits for it may look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings(Generic[ConnectionT, NowT]):
    """What every unit of a store shares. `log`: None if it is elsewhere, so that emitted envelopes are staged.

    `now`: what time it is for leases and deliveries; None where the database says that. `tables`: of views.
    """

    ports: Ports
    now: Callable[[], NowT]
    statements: Statements[ConnectionT, NowT]
    tables: Callable[[ViewTable], TableStatements[ConnectionT]]
    log: LogBeside | None


class StatementUnit(ABC, Generic[ConnectionT, NowT]):
    """See `tidings.store.unit.Unit`."""

    sql: Sql

    def __init__(self, around: Surroundings[ConnectionT, NowT], claims: Sequence[Claim]) -> None:
        self.receipts: Sequence[Receipt] = ()
        self.judged: Sequence[Judged] = ()
        self._around = around
        self._statements = around.statements
        self._claims = claims
        self._arrivals: list[Arrival] = []
        self._emitted: list[Emitted] = []
        self._to: Position | None = None
        self._depth = 0
        self._has_taken = False
        self._ended = False

    def _check(self) -> None:
        if self._ended:
            raise RefusedError("the unit has ended; open another one")

    @abstractmethod
    async def run(self, job: Job[ConnectionT, T]) -> T:
        """Run a job of the back end's own in the transaction."""

    @abstractmethod
    def savepoint(self) -> AbstractAsyncContextManager[None]: ...

    @abstractmethod
    async def flush(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        """Append as the log would, each write judged on its own, and fold what is new into the inline views.

        Only where the log lies in the same database."""

    # rows of views
    @abstractmethod
    async def rows(self, view: ViewTable, keys: Sequence[Key]) -> Mapping[Key, Row]: ...

    @abstractmethod
    async def put(self, view: ViewTable, rows: Sequence[Row]) -> None: ...

    @abstractmethod
    async def replace(self, view: ViewTable, rows: Sequence[Row]) -> None: ...

    async def purge(self, view: ViewTable, tombstones: Mapping[Key, Rank]) -> None:
        table = self._around.tables(view)
        await self.run(lambda to: table.purge(to, tombstones))

    async def join(self, view: ViewTable, members: Sequence[tuple[Key, Position]]) -> frozenset[tuple[Key, Position]]:
        table = self._around.tables(view)
        return await self.run(lambda to: table.join(to, members))

    async def members(self, view: ViewTable, keys: Sequence[Key]) -> Mapping[Key, Sequence[Position]]:
        table = self._around.tables(view)
        return await self.run(lambda to: table.members(to, keys))

    # entries set aside, sent on
    async def parked(self, consumer: str, subjects: Sequence[str]) -> frozenset[str]:
        return await self.run(lambda to: self._statements.parked.parked_among(to, consumer, subjects))

    async def park(self, consumer: str, subject: str, entries: Sequence[Entry], reason: Reason | None) -> None:
        now = self._around.ports.clock.now_us()
        parking = Parking(consumer=consumer, subject=subject, entries=entries, now=now)
        await self.run(lambda to: self._statements.parked.park(to, parking, reason))

    async def unpark(self, consumer: str, subject: str, position: Position) -> None:
        await self.run(lambda to: self._statements.parked.unpark(to, consumer, subject, position))

    async def dropped(self, view: ViewTable) -> frozenset[Position]:
        return await self.run(lambda to: self._statements.parked.dropped(to, view))

    async def command(self, service: str, key: str) -> int | None:
        return await self.run(lambda to: self._statements.commands.find(to, service, key))

    async def remember(self, service: str, key: str, emitted: int) -> None:
        await self.run(lambda to: self._statements.commands.remember(to, service, key, emitted))

    async def intend(self, deliveries: Sequence[Delivery]) -> None:
        now = self._around.now()
        await self.run(lambda to: self._statements.deliveries.intend(to, deliveries, now=now))

    async def open_deliveries(self, keys: Sequence[str]) -> frozenset[str]:
        return await self.run(lambda to: self._statements.endpoints.run(to, standing.open_among(keys)))

    async def endpoints(self) -> Sequence[EndpointRecord]:
        return await self.run(lambda to: self._statements.endpoints.run(to, keeping.every()))

    async def deliver(self, deliveries: Sequence[EndpointDelivery]) -> int:
        now = self._around.now()
        return await self.run(lambda to: self._statements.endpoints.deliver(to, deliveries, now=now))

    async def acknowledge(self, delivery: EndpointDelivery) -> bool:
        now: Any = self._around.now()
        script = reopening.acknowledge(delivery.key, now=now)
        return await self.run(lambda to: self._statements.endpoints.run(to, script))

    async def settle(self, claimed: Sequence[ClaimedEndpointDelivery], decide: Decide) -> Settled:
        now: Any = self._around.now()
        script = settling.settle(claimed, decide, now=now)
        return await self.run(lambda to: self._statements.endpoints.run(to, script))

    async def finish_receipt(self, n: int, identities: Sequence[Identity], items: bytes, *, at: int | None) -> bool:
        return await self.run(lambda to: self._statements.receipts.finish(to, n, identities, items, at=at))

    async def settle_each(self, ended: Sequence[tuple[Sequence[ClaimedEndpointDelivery], Decide]]) -> Sequence[Settled]:
        now: Any = self._around.now()
        script = settling.settle_each(ended, now=now)
        return await self.run(lambda to: self._statements.endpoints.run(to, script))

    # what is noted of a scope
    async def hold(self, scope: str) -> None:
        await self.run(lambda to: self._statements.endpoints.run(to, noting.hold(scope)))

    async def noted(self, scope: str, kind: str, keys: Iterable[bytes]) -> Mapping[bytes, bytes]:
        wanted = tuple(keys)
        return await self.run(lambda to: self._statements.endpoints.run(to, noting.noted(scope, kind, wanted)))

    async def notes_between(
        self,
        scope: str,
        kind: str,
        *,
        after: bytes | None = None,
        upto: bytes | None = None,
        limit: int | None = None,
        falling: bool = False,
    ) -> Sequence[Note]:
        script = noting.between(scope, Span(kind, after, upto, limit, falling))
        return await self.run(lambda to: self._statements.endpoints.run(to, script))

    async def notes_within(self, scope: str, spans: Sequence[Span]) -> Sequence[Sequence[Note] | None]:
        return await self.run(lambda to: self._statements.endpoints.run(to, noting.within(scope, spans)))

    async def note(self, scope: str, kind: str, notes: Mapping[bytes, bytes | None]) -> None:
        await self.run(lambda to: self._statements.endpoints.run(to, noting.note(scope, kind, notes)))

    async def take_outbox(self, *, limit: int) -> Sequence[Staged]:
        staged = await self.run(lambda to: self._statements.outbox.take(to, limit=limit))
        self._has_taken = True
        self._around.ports.points.at("relay:taken")
        return staged

    # what is done on leaving
    def receive(self, arrivals: Sequence[Arrival]) -> None:
        self._check()
        self._arrivals += arrivals

    @property
    def emitted(self) -> Sequence[Emitted]:
        return self._emitted

    @property
    def appended(self) -> Sequence[tuple[Emitted, Receipt]]:
        """What was emitted, with what became of it once the unit has ended; nothing of what was staged."""
        return list(zip(self.emitted, self.receipts, strict=False))

    def emit(self, envelopes: Sequence[Envelope]) -> None:
        self._check()
        self._emitted.append(tuple(envelopes))

    @property
    def to(self) -> Position | None:
        return self._to

    def advance(self, *, to: Position) -> None:
        self._check()
        self._to = to

    def end(self) -> None:
        """Refuse whatever is asked from now on."""
        self._ended = True

    def committed(self) -> None:
        """Tell whoever waits for what this unit kept."""
        points, log = self._around.ports.points, self._around.log
        points.at("unit:committed")
        if self._has_taken:
            points.at("relay:marked")
        if log is not None and self.receipts:
            log.appended()
