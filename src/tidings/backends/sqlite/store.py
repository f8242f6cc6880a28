"""The store on SQLite: what is remembered lies in the same file as the log, so both are kept in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import copy
from datetime import timedelta
from typing import Any, TypeVar

from tidings.backends.sqlite import attempts, audit, deliveries, keyed, keys, leases, parked
from tidings.backends.sqlite.database import Database, translated
from tidings.backends.sqlite.emits import Appender
from tidings.backends.sqlite.inline import Inline
from tidings.backends.sqlite.keyed import SqliteKeyed
from tidings.backends.sqlite.sql import Guard
from tidings.backends.sqlite.table import Table
from tidings.backends.sqlite.unit import OpenUnit, SqliteUnit, Surroundings
from tidings.backends.sqlite.views import Views
from tidings.backends.sqlite.wal import caution_with
from tidings.errors import LogUnavailableError, RefusedError, StoreUnavailableError
from tidings.log.driver import Position, Receipt, Write
from tidings.ports import Ports
from tidings.store.attempts import Attempt
from tidings.store.audit import Audited, Change
from tidings.store.claims import Checkpoint, Claim
from tidings.store.deliveries import EVERY, ClaimedDelivery, Sought, State
from tidings.store.driver import StoreDriver
from tidings.store.facts import StoreFacts
from tidings.store.inline import InlineFolds
from tidings.store.keyed import Keyed, Request
from tidings.store.keys import ApiKey
from tidings.store.parking import DeadLetter, Dropping, Parked
from tidings.store.reason import Reason
from tidings.store.rows import Key, Row, ViewRecord, ViewTable
from tidings.store.swapping import Swap
from tidings.store.unit import Unit

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]


class SqliteStore:
    """See `tidings.store.driver.StoreDriver`. Without a `log` of the same database, emitted envelopes are staged."""

    def __init__(self, database: Database, ports: Ports, *, log: Appender | None = None) -> None:
        self.facts = StoreFacts(
            name="sqlite",
            partitions=1,
            shares_transaction_with_log=log is not None,
            engine=f"SQLite {sqlite3.sqlite_version}",
            caution=caution_with(sqlite3.sqlite_version_info),
        )
        self._database = database
        self._clock = ports.clock
        self._made: dict[ViewTable, Table] = {}
        self._views = Views(self._table)
        self._inline = Inline(self._views)
        self._log = log
        self._joined: SqliteUnit | None = None
        self._around = Surroundings(ports=ports, tables=self._table, inline=self._inline, guard=Guard(), log=log)

    def _table(self, view: ViewTable) -> Table:
        found = self._made.get(view)
        if found is None:
            found = self._made[view] = Table(view)
        return found

    async def _write(self, job: Job[T]) -> T:
        if self._joined is not None:
            return await self._joined.run(job)
        self._check()
        with translated(StoreUnavailableError):
            return await self._database.job(job)

    async def _read(self, job: Job[T]) -> T:
        if self._joined is not None:
            return await self._joined.run(job)
        self._check_open()
        with translated(StoreUnavailableError):
            return await self._database.read(job)

    async def _peek(self, job: Job[T]) -> T:
        if self._joined is not None:
            return await self._joined.run(job)
        self._check_open()
        with translated(StoreUnavailableError):
            return await self._database.peek(job)

    def _check_open(self) -> None:
        if self._database.closed:
            raise StoreUnavailableError("the store is closed; open it again")

    def _check(self) -> None:
        self._check_open()
        if self._database.inside_unit:
            raise RefusedError("a unit is open here, and it would be waited for by itself: use it, or leave it first")

    def _lease(self, owner: str, ttl: timedelta) -> leases.Lease:
        now = self._clock.now_us()
        return leases.Lease(owner=owner, now=now, until=now + ttl // timedelta(microseconds=1))

    # leases and checkpoints
    async def register(self, consumer: str, *, partitions: int, start: Position) -> None:
        await self._write(lambda to: leases.register(to, consumer, partitions=partitions, start=start))

    async def claim(self, consumer: str, *, owner: str, want: int, ttl: timedelta) -> Sequence[Claim]:
        lease = self._lease(owner, ttl)
        return await self._write(lambda to: leases.claim(to, consumer, lease, want=want))

    async def ask(self, consumer: str, *, owner: str, ttl: timedelta) -> None:
        lease = self._lease(owner, ttl)
        await self._write(lambda to: leases.ask(to, consumer, lease))

    async def asking(self, consumer: str) -> frozenset[str]:
        now = self._clock.now_us()
        return await self._read(lambda of: leases.asking(of, consumer, now=now))

    async def renew(self, claims: Sequence[Claim], *, ttl: timedelta) -> Sequence[Claim]:
        until = self._lease("", ttl).until
        return await self._write(lambda to: leases.renew(to, claims, until=until)) if claims else ()

    async def release(self, claims: Sequence[Claim]) -> None:
        if claims:
            await self._write(lambda to: leases.release(to, claims))

    async def begin_attempt(self, claim: Claim, position: Position) -> int:
        return await self._write(lambda to: leases.begin_attempt(to, claim, position))

    async def checkpoints(self, consumer: str) -> Mapping[int, Checkpoint]:
        return await self._peek(lambda of: leases.checkpoints(of, consumer))

    async def consumers(self) -> Sequence[str]:
        return await self._read(leases.consumers)

    async def forget(self, consumer: str) -> None:
        await self._write(lambda to: leases.forget(to, consumer))

    async def pause(self, consumer: str, reason: str | None) -> None:
        await self._write(lambda to: leases.pause(to, consumer, reason))

    async def rewind(self, consumer: str, *, to: Position) -> None:
        await self._write(lambda at: leases.rewind(at, consumer, to=to))

    # parked subjects and dead letters
    async def due(self, claims: Sequence[Claim], *, now: int) -> Sequence[Parked]:
        return await self._read(lambda of: parked.due(of, claims, now=now))

    async def begin_redrive(self, claim: Claim, subject: str) -> Parked | None:
        return await self._write(lambda to: parked.begin_redrive(to, claim, subject))

    async def parked(self, consumer: str | None = None) -> Sequence[Parked]:
        if not await self._peek(lambda of: parked.is_any(of, consumer)):
            return []
        return await self._read(lambda of: parked.parked(of, consumer))

    async def dead_letters(self, consumer: str, subject: str, *, limit: int) -> Sequence[DeadLetter]:
        return await self._read(lambda of: parked.dead_letters(of, consumer, subject, limit=limit))

    async def schedule_redrive(self, consumer: str, subject: str, *, at: int) -> None:
        await self._write(lambda to: parked.schedule(to, consumer, subject, at=at))

    async def reschedule(self, claim: Claim, subject: str, reason: Reason) -> None:
        await self._write(lambda to: parked.reschedule(to, claim, subject, reason))

    async def drop(self, consumer: str, subject: str, position: Position, *, reason: str, who: str = "") -> None:
        now = self._clock.now_us()
        dropping = Dropping(consumer=consumer, subject=subject, position=position, reason=reason, who=who, now=now)
        await self._write(lambda to: parked.drop(to, dropping))

    # what operators changed
    @asynccontextmanager
    async def changing(self, change: Change) -> AsyncIterator[StoreDriver]:
        now = self._clock.now_us()
        if self._joined is not None:
            async with self._joined.savepoint():
                yield self
                await self._joined.run(lambda to: audit.note(to, change, now=now))
            return
        self._check()
        async with OpenUnit(self._database, self._around, ()) as unit:
            yield self._joining(unit)
            await unit.run(lambda to: audit.note(to, change, now=now))

    async def audit(self, *, before: int | None = None, limit: int = 100) -> Sequence[Audited]:
        return await self._read(lambda of: audit.listed(of, before=before, limit=limit))

    # deliveries to functions
    async def claim_deliveries(
        self, *, owner: str, services: Sequence[str], limit: int, ttl: timedelta
    ) -> Sequence[ClaimedDelivery]:
        lease = self._lease(owner, ttl)
        return await self._write(lambda to: deliveries.claim(to, lease, services=services, limit=limit))

    async def settle_delivery(self, claimed: ClaimedDelivery, reason: Reason | None) -> None:
        now = self._clock.now_us()
        await self._write(lambda to: deliveries.settle(to, claimed, reason, now=now))

    async def deliveries(
        self, state: State | None = None, *, where: Sought = EVERY, after: str | None = None, limit: int = 100
    ) -> Sequence[Mapping[str, Any]]:
        return await self._read(lambda of: deliveries.listed(of, state, where, after=after, limit=limit))

    async def delivery(self, key: str) -> Mapping[str, Any] | None:
        return await self._read(lambda of: deliveries.found(of, key))

    async def retry_delivery(self, key: str, *, at: int) -> None:
        await self._write(lambda to: deliveries.retry(to, key, at=at))

    async def cancel_delivery(self, key: str, *, at: int) -> bool:
        return await self._write(lambda to: deliveries.cancel(to, key, at=at))

    async def attempts(self, key: str) -> Sequence[Attempt]:
        return await self._read(lambda of: attempts.of(of, key))

    async def forget_attempts(self, *, closed: int, keep: int, limit: int) -> int:
        return await self._write(lambda to: attempts.forget(to, closed=closed, keep=keep, limit=limit))

    async def next_due(self) -> int | None:
        return await self._read(_next_due)

    # views
    async def views(self) -> Sequence[ViewRecord]:
        return await self._peek(self._views.all)

    async def create_view(self, record: ViewRecord) -> None:
        if record.mode == "inline" and self._log is None:
            raise RefusedError(f"{record.table.public_name} cannot be inline: the log is not kept in this database")
        await self._write(lambda to: self._views.create(to, record))

    async def swap_view(self, record: ViewRecord, *, consumer: str, old_consumer: str | None) -> bool:
        swap = Swap(record=record, consumer=consumer, old_consumer=old_consumer)
        return await self._write(lambda to: self._views.swap(to, swap))

    async def drop_view(self, record: ViewRecord) -> None:
        await self._write(lambda to: self._views.drop(to, record))

    async def select(
        self, view: ViewTable, *, equal: Mapping[str, Any], after: Key | None, limit: int
    ) -> Sequence[Row]:
        table = self._table(view)
        read = self._peek if table.has_key(equal) else self._read
        return await read(lambda of: table.select(of, equal, after=after, limit=limit))

    async def every(self, view: ViewTable, *, after: Key | None, limit: int) -> Sequence[Row]:
        table = self._table(view)
        return await self._read(lambda of: table.every(of, after=after, limit=limit))

    # API keys
    async def api_keys(self) -> Sequence[ApiKey]:
        return await self._read(keys.keys)

    async def add_api_key(self, key: ApiKey) -> None:
        await self._write(lambda to: keys.add(to, key))

    async def revoke_api_key(self, id: str, *, at: int) -> None:
        await self._write(lambda to: keys.revoke(to, id, at=at))

    async def api_key_used(self, id: str, *, at: int) -> None:
        await self._write(lambda to: keys.used(to, id, at=at))

    # requests under a key
    def keyed(self, request: Request) -> AbstractAsyncContextManager[Keyed[StoreDriver]]:
        self._check()
        return self._keyed(request)

    @asynccontextmanager
    async def _keyed(self, request: Request) -> AsyncIterator[Keyed[StoreDriver]]:
        async with OpenUnit(self._database, self._around, ()) as unit:
            open_request = SqliteKeyed(unit, self._joining(unit), self._log, request)
            await open_request.begin()
            yield open_request
        if self._log is not None and open_request.appended:
            self._log.appended()

    def _joining(self, unit: SqliteUnit) -> SqliteStore:
        """Return this store, but with each operation done in the unit's transaction instead of one of its own."""
        joined = copy(self)
        joined._joined = unit
        return joined

    async def forget_answers(self, *, before: int, limit: int) -> int:
        return await self._write(lambda to: keyed.forget(to, before=before, limit=limit))

    # units
    def hold_inline(self, folds: InlineFolds) -> None:
        self._inline.folds = folds

    def unit(self, *claims: Claim) -> AbstractAsyncContextManager[Unit]:
        self._check()
        return OpenUnit(self._database, self._around, claims)

    async def inline_flush(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        """Append as the log's driver does, and fold what is new into the inline views in the same transaction."""
        if self._log is None:
            raise RefusedError("the log is not kept in this database, so nothing is folded when it is appended to")
        try:
            async with OpenUnit(self._database, self._around, ()) as unit:
                receipts = await unit.flush(self._log, writes)
        except StoreUnavailableError as error:
            raise LogUnavailableError(str(error)) from error
        self._log.appended()
        return receipts

    async def close(self) -> None:
        await self._database.close()


def _next_due(connection: sqlite3.Connection) -> int | None:
    found: int | None = connection.execute(
        "SELECT min(at) FROM (SELECT min(next_at) AS at FROM tidings_parked WHERE state = 'retrying' "
        "UNION ALL SELECT min(next_at) FROM tidings_delivery WHERE state = 'pending')"
    ).fetchone()[0]
    return found
