"""A store whose operations are a back end's statements. How they are run is the back end's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from tidings.errors import LogUnavailableError, RefusedError, StoreUnavailableError
from tidings.events.envelope import Envelope
from tidings.log.driver import Position, Receipt, Write
from tidings.store.attempts import Attempt
from tidings.store.audit import Audited, Change
from tidings.store.claims import Checkpoint, Claim, Lease
from tidings.store.deliveries import EVERY, ClaimedDelivery, DeliveryFilter, State
from tidings.store.driver import StoreDriver
from tidings.store.facts import StoreFacts
from tidings.store.inline import InlineFolds
from tidings.store.keyed import Keyed, Request
from tidings.store.keys import ApiKey
from tidings.store.open_request import OpenRequest
from tidings.store.parking import DeadLetter, Dropping, Parked
from tidings.store.reason import Reason
from tidings.store.rows import Key, Row, ViewRecord, ViewTable
from tidings.store.scripts import reopening
from tidings.store.staging import Waiting
from tidings.store.statement_notes import StatementNotes
from tidings.store.statement_runs import Database
from tidings.store.statement_unit import Surroundings
from tidings.store.statements import ViewStatements
from tidings.store.swapping import Swap
from tidings.store.unit import Unit

ConnectionT = TypeVar("ConnectionT")
NowT = TypeVar("NowT")


class Inline(Protocol):
    """The folds of this process that run in appends; None: it holds none."""

    folds: InlineFolds | None


class StatementStore(StatementNotes[ConnectionT, NowT]):
    """See `tidings.store.driver.StoreDriver`."""

    def __init__(
        self,
        facts: StoreFacts,
        database: Database,
        around: Surroundings[ConnectionT, NowT],
        *,
        views: ViewStatements[ConnectionT],
        inline: Inline,
    ) -> None:
        super().__init__(database, around)
        self.facts = facts
        self._statements = around.statements
        self._clock = around.ports.clock
        self._views = views
        self._inline = inline
        self._log = around.log

    def _lease(self, owner: str, ttl: timedelta) -> Lease[NowT]:
        return Lease(owner=owner, now=self._around.now(), ttl=ttl // timedelta(microseconds=1))

    # leases and checkpoints
    async def register(self, consumer: str, *, partitions: int, start: Position) -> None:
        leases = self._statements.leases
        await self._write(lambda to: leases.register(to, consumer, partitions=partitions, start=start))

    async def claim(self, consumer: str, *, owner: str, want: int, ttl: timedelta) -> Sequence[Claim]:
        lease = self._lease(owner, ttl)
        return await self._write(lambda to: self._statements.leases.claim(to, consumer, lease, want=want))

    async def ask(self, consumer: str, *, owner: str, ttl: timedelta) -> None:
        lease = self._lease(owner, ttl)
        await self._do(lambda to: self._statements.leases.ask(to, consumer, lease))

    async def asking(self, consumer: str) -> frozenset[str]:
        now = self._around.now()
        return await self._read(lambda of: self._statements.leases.asking(of, consumer, now=now))

    async def renew(self, claims: Sequence[Claim], *, ttl: timedelta) -> Sequence[Claim]:
        lease = self._lease("", ttl)
        return await self._do(lambda to: self._statements.leases.renew(to, claims, lease=lease)) if claims else ()

    async def release(self, claims: Sequence[Claim]) -> None:
        if claims:
            await self._do(lambda to: self._statements.leases.release(to, claims))

    async def begin_attempt(self, claim: Claim, position: Position) -> int:
        return await self._do(lambda to: self._statements.leases.begin_attempt(to, claim, position))

    @abstractmethod
    async def checkpoints(self, consumer: str) -> Mapping[int, Checkpoint]: ...

    async def consumers(self) -> Sequence[str]:
        return await self._read(self._statements.leases.consumers)

    async def forget(self, consumer: str) -> None:
        await self._write(lambda to: self._statements.leases.forget(to, consumer))

    async def pause(self, consumer: str, reason: str | None) -> None:
        await self._write(lambda to: self._statements.leases.pause(to, consumer, reason))

    async def rewind(self, consumer: str, *, to: Position) -> None:
        await self._write(lambda at: self._statements.leases.rewind(at, consumer, to=to))

    async def skip(self, consumer: str, *, to: Position) -> None:
        await self._write(lambda at: self._statements.leases.skip(at, consumer, to=to))

    # parked subjects and dead letters
    async def due(self, claims: Sequence[Claim], *, now: int) -> Sequence[Parked]:
        return await self._read(lambda of: self._statements.parked.due(of, claims, now=now)) if claims else ()

    async def begin_redrive(self, claim: Claim, subject: str) -> Parked | None:
        return await self._write(lambda to: self._statements.parked.begin_redrive(to, claim, subject))

    async def parked(self, consumer: str | None = None) -> Sequence[Parked]:
        return await self._read(lambda of: self._statements.parked.parked(of, consumer))

    async def dead_letters(self, consumer: str, subject: str, *, limit: int) -> Sequence[DeadLetter]:
        return await self._read(lambda of: self._statements.parked.dead_letters(of, consumer, subject, limit=limit))

    async def schedule_redrive(self, consumer: str, subject: str, *, at: int) -> None:
        await self._do(lambda to: self._statements.parked.schedule(to, consumer, subject, at=at))

    async def reschedule(self, claim: Claim, subject: str, reason: Reason) -> None:
        await self._write(lambda to: self._statements.parked.reschedule(to, claim, subject, reason))

    async def drop(self, consumer: str, subject: str, position: Position, *, reason: str, who: str = "") -> None:
        now = self._clock.now_us()
        dropping = Dropping(consumer=consumer, subject=subject, position=position, reason=reason, who=who, now=now)
        await self._write(lambda to: self._statements.parked.drop(to, dropping))

    # what operators changed
    @asynccontextmanager
    async def changing(self, change: Change) -> AsyncIterator[StoreDriver]:
        now = self._clock.now_us()
        if self._joined is not None:
            async with self._joined.savepoint():
                yield self
                await self._joined.run(lambda to: self._statements.audit.note(to, change, now=now))
            return
        self._check()
        async with self._open(()) as unit:
            yield self._joining(unit)
            await unit.run(lambda to: self._statements.audit.note(to, change, now=now))

    def emit(self, envelopes: Sequence[Envelope]) -> None:
        if self._joined is None:
            raise RefusedError("nothing is emitted outside of a transaction: append to the log instead")
        self._joined.emit(envelopes)

    @property
    def appended(self) -> Sequence[tuple[Sequence[Envelope], Receipt]]:
        return () if self._joined is None else self._joined.appended

    async def audit(self, *, before: int | None = None, limit: int = 100) -> Sequence[Audited]:
        return await self._read(lambda of: self._statements.audit.listed(of, before=before, limit=limit))

    # deliveries to functions
    async def claim_deliveries(
        self, *, owner: str, services: Sequence[str], limit: int, ttl: timedelta
    ) -> Sequence[ClaimedDelivery]:
        lease, rows = self._lease(owner, ttl), self._statements.deliveries
        return await self._write(lambda to: rows.claim(to, lease, services=services, limit=limit))

    async def settle_delivery(self, claimed: ClaimedDelivery, reason: Reason | None) -> None:
        now = self._around.now()
        await self._do(lambda to: self._statements.deliveries.settle(to, claimed, reason, now=now))

    async def deliveries(
        self, state: State | None = None, *, where: DeliveryFilter = EVERY, after: str | None = None, limit: int = 100
    ) -> Sequence[Mapping[str, Any]]:
        rows = self._statements.deliveries
        return await self._read(lambda of: rows.listed(of, state, where, after=after, limit=limit))

    async def delivery(self, key: str) -> Mapping[str, Any] | None:
        return await self._read(lambda of: self._statements.deliveries.found(of, key))

    async def retry_delivery(self, key: str, *, at: int) -> None:
        await self._change(reopening.retry(key, at=at))

    async def cancel_delivery(self, key: str, *, at: int) -> bool:
        return await self._change(reopening.cancel(key, at=at))

    async def forget_deliveries(self, *, closed: int, limit: int) -> int:
        return await self._write(lambda to: self._statements.deliveries.forget(to, closed=closed, limit=limit))

    async def attempts(self, key: str) -> Sequence[Attempt]:
        return await self._read(lambda of: self._statements.attempts.of(of, key))

    async def forget_attempts(self, *, closed: int, keep: int, limit: int) -> int:
        attempts = self._statements.attempts
        return await self._write(lambda to: attempts.forget(to, closed=closed, keep=keep, limit=limit))

    async def next_due(self) -> int | None:
        return await self._read(self._statements.deliveries.next_due)

    # the outbox
    async def waiting(self, *, most: int) -> Waiting:
        now = self._around.now()
        return await self._read(lambda of: self._statements.outbox.waiting(of, most=most, now=now))

    # views
    async def views(self) -> Sequence[ViewRecord]:
        return await self._read(self._views.all)

    async def create_view(self, record: ViewRecord) -> None:
        if record.mode == "inline" and self._log is None:
            raise RefusedError(f"{record.table.public_name} cannot be inline: the log is not kept in this database")
        await self._write(lambda to: self._views.create(to, record))

    async def swap_view(
        self,
        record: ViewRecord,
        *,
        consumer: str,
        replaced_consumer: str | None,
        who: str = "",
        accepts_parked: bool = False,
    ) -> bool:
        swap = Swap(
            record=record,
            consumer=consumer,
            replaced_consumer=replaced_consumer,
            who=who,
            accepts_parked=accepts_parked,
            now=self._clock.now_us(),
        )
        return await self._write(lambda to: self._views.swap(to, swap))

    async def drop_view(self, record: ViewRecord) -> None:
        await self._write(lambda to: self._views.drop(to, record))

    async def select(
        self, view: ViewTable, *, equal: Mapping[str, Any], after: Key | None, limit: int
    ) -> Sequence[Row]:
        table = self._around.tables(view)
        return await self._read(lambda of: table.select(of, equal, after=after, limit=limit))

    async def every(self, view: ViewTable, *, after: Key | None, limit: int) -> Sequence[Row]:
        table = self._around.tables(view)
        return await self._read(lambda of: table.every(of, after=after, limit=limit))

    # API keys
    async def api_keys(self) -> Sequence[ApiKey]:
        return await self._read(self._statements.keys.keys)

    async def add_api_key(self, key: ApiKey) -> None:
        await self._do(lambda to: self._statements.keys.add(to, key))

    async def revoke_api_key(self, id: str, *, at: int) -> None:
        await self._do(lambda to: self._statements.keys.revoke(to, id, at=at))

    async def api_key_used(self, id: str, *, at: int) -> None:
        await self._do(lambda to: self._statements.keys.used(to, id, at=at))

    # requests under a key
    def keyed(self, request: Request) -> AbstractAsyncContextManager[Keyed[StoreDriver]]:
        self._check()
        return self._keyed(request)

    @asynccontextmanager
    async def _keyed(self, request: Request) -> AsyncIterator[Keyed[StoreDriver]]:
        answers, log = self._statements.answers, self._log
        async with self._open(()) as unit:
            asked = OpenRequest(request, unit, self._joining(unit), answers=answers, appends=log is not None)
            await asked.begin()
            yield asked
        asked.appended += unit.appended
        if log is not None and asked.appended:
            log.appended()

    async def forget_answers(self, *, before: int, limit: int) -> int:
        return await self._do(lambda to: self._statements.answers.forget(to, before=before, limit=limit))

    # units
    def hold_inline(self, folds: InlineFolds) -> None:
        self._inline.folds = folds

    def unit(self, *claims: Claim) -> AbstractAsyncContextManager[Unit]:
        self._check()
        return self._open(claims)

    async def inline_flush(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        """Append as the log's driver does, and fold what is new into the inline views in the same transaction."""
        if self._log is None:
            raise RefusedError("the log is not kept in this database, so nothing is folded when it is appended to")
        try:
            async with self._open(()) as unit:
                receipts = await unit.flush(writes)
        except StoreUnavailableError as error:
            raise LogUnavailableError(str(error)) from error
        self._log.appended()
        return receipts

    async def close(self) -> None:
        await self._database.close()
