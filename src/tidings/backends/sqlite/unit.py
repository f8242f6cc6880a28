"""One transaction of the store: what a page does, kept together or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeAlias, TypeVar, cast

from tidings.backends.sqlite import leases, outbox
from tidings.backends.sqlite.database import Database, translated
from tidings.backends.sqlite.emits import Appender, append_emitted, entries_after
from tidings.backends.sqlite.inline import Inline
from tidings.backends.sqlite.scripts import run as run_script
from tidings.backends.sqlite.sql import Guard, HandlerSql
from tidings.backends.sqlite.table import Tables
from tidings.backends.sqlite.transaction import Transaction
from tidings.errors import StoreUnavailableError
from tidings.events.envelope import Entry
from tidings.log.driver import Receipt, Write
from tidings.store import statements
from tidings.store.claims import Claim
from tidings.store.receipts import Arrival, finishing, fresh_among
from tidings.store.rows import Key, Row, ViewRecord, ViewTable
from tidings.store.scripts import noting
from tidings.store.statement_unit import StatementUnit, Surroundings

HERE_EVENTS, HERE_BYTES = 128, 256 * 1024
"""So many requests, events and bytes of bodies are written on the event loop's thread: 2 ms, where each hop may take as
long to be given the interpreter's lock, once for each statement."""

T = TypeVar("T")
Job: TypeAlias = statements.Job[sqlite3.Connection, T]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteSurroundings(Surroundings[sqlite3.Connection, int]):
    """What every unit of a store shares."""

    tables: Tables
    inline: Inline
    guard: Guard
    log: Appender | None


def at_once(job: Job[T]) -> Callable[[sqlite3.Connection], T]:
    """Return the job: on this back end no statement is to be awaited."""
    return cast("Callable[[sqlite3.Connection], T]", job)


@dataclass(frozen=True, slots=True)
class Appended:
    """What was appended last: the receipts, and the entries that are still to be folded into these inline tables."""

    receipts: Sequence[Receipt]
    entries: Sequence[Entry] = ()
    tables: Sequence[ViewRecord] = ()


class SqliteUnit(StatementUnit[sqlite3.Connection, int]):
    """See `tidings.store.unit.Unit`. Each method is one hop to the writer's thread, whatever the number of rows.

    What a few requests write is written on the event loop's thread: only its commit is a hop.
    """

    _around: SqliteSurroundings

    def __init__(self, transaction: Transaction, around: SqliteSurroundings, claims: Sequence[Claim]) -> None:
        super().__init__(around, claims)
        self.sql = HandlerSql(self._run, around.guard)
        self._transaction = transaction

    async def _run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        self._check()
        return await self._do(job)

    def run(self, job: Job[T]) -> Coroutine[Any, Any, T]:
        return self._run(at_once(job))

    async def _do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job of our own, also while the unit is left."""
        with translated(StoreUnavailableError):
            return await self._transaction.run(_unless_undone(job))

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        name, emitted, to = f"tidings_{self._depth}", len(self._emitted), self._to
        arrived = len(self._arrivals)
        await self._run(lambda connection: connection.execute(f"SAVEPOINT {name}"))
        self._depth += 1
        try:
            yield
            with translated(StoreUnavailableError):
                await self._transaction.catch_up()
        except BaseException:
            del self._emitted[emitted:], self._arrivals[arrived:]
            self._to = to
            self._transaction.undo()
            await self._run(lambda connection: self._undo(connection, name))
            raise
        else:
            await self._run(lambda connection: connection.execute(f"RELEASE {name}"))
        finally:
            self._depth -= 1

    def _undo(self, connection: sqlite3.Connection, name: str) -> None:
        connection.execute(f"ROLLBACK TO {name}")
        connection.execute(f"RELEASE {name}")
        if self._around.log is not None:
            self._around.log.undone(connection)

    # rows of views
    async def rows(self, view: ViewTable, keys: Sequence[Key]) -> Mapping[Key, Row]:
        table = self._around.tables(view)
        return await self._run(lambda connection: table.rows(connection, keys))

    async def put(self, view: ViewTable, rows: Sequence[Row]) -> None:
        table = self._around.tables(view)
        self._put_off(lambda connection: table.put(connection, rows))

    async def replace(self, view: ViewTable, rows: Sequence[Row]) -> None:
        table = self._around.tables(view)
        self._put_off(lambda connection: table.replace(connection, rows))

    # what is noted of a scope
    async def hold(self, scope: str) -> None:
        self._put_off(lambda connection: run_script(connection, noting.hold(scope)))

    async def note(self, scope: str, kind: str, notes: Mapping[bytes, bytes | None]) -> None:
        kept = dict(notes)
        self._put_off(lambda connection: run_script(connection, noting.note(scope, kind, kept)))

    def _put_off(self, job: Callable[[sqlite3.Connection], None]) -> None:
        """Have this done with what comes next, which spares a hop: nobody waits for what it returns."""
        self._check()
        self._transaction.put_off(_unless_undone(job))

    # what is done on leaving
    async def leave(self) -> None:
        """Do all that is left to do, and commit."""
        writer = self._transaction.begin_here() if _are_few(self._arrivals) else None
        appended = await (self._do(self._finish) if writer is None else self._finish_here(writer))
        if appended.tables:
            folding = SqliteUnit(self._transaction, self._around, ())  # to everybody else this one has ended
            await folding._fold(appended)
            folding.end()
            await self._do(self._commit)

    @property
    def is_kept(self) -> bool:
        """Whether all of it is committed."""
        return not self._transaction.is_open

    async def flush(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        log = self._around.log
        assert log is not None
        types = frozenset(envelope.type for write in writes for envelope in write.envelopes)
        appended = await self._run(
            lambda connection: self._append(connection, types, lambda: log.append_in(connection, writes))
        )
        if appended.tables:
            await self._fold(appended)
        return appended.receipts

    def _finish(self, connection: sqlite3.Connection) -> Appended:
        appended = self._write(connection)
        if not appended.tables:
            self._commit(connection)
        return appended

    async def _finish_here(self, writer: sqlite3.Connection) -> Appended:
        """As `_finish`, but only the commit, which waits for the disk, is a hop."""
        with translated(StoreUnavailableError):
            appended = self._write(writer)
        if not appended.tables:
            await self._do(self._commit)
        return appended

    def _write(self, connection: sqlite3.Connection) -> Appended:
        if self._arrivals:
            self._receive(connection)
        appended = self._emit(connection)
        self.receipts = appended.receipts
        self._around.ports.points.at("unit:after-emit")
        return appended

    def _receive(self, connection: sqlite3.Connection) -> None:
        receipts: Any = self._statements.receipts
        self.judged = receipts.receive(connection, [arrival.received for arrival in self._arrivals])
        self._around.ports.points.at("receiver:receipt-written")
        for received, n in finishing(self._arrivals, self.judged):
            receipts.finish(connection, n, received.identities, received.items, at=None)
        events = fresh_among(self._arrivals, self.judged)
        if events:
            self._emitted.append(events)

    def _commit(self, connection: sqlite3.Connection) -> None:
        self._advance(connection)
        self._around.ports.points.at("unit:commit-sent")
        self._transaction.commit(connection)

    def _emit(self, connection: sqlite3.Connection) -> Appended:
        log, emitted = self._around.log, self._emitted
        if not emitted:
            return Appended(())
        if log is None:
            staged = [envelope for envelopes in emitted for envelope in envelopes]
            outbox.stage(connection, staged, now=self._around.now())
            return Appended(())
        types = frozenset(envelope.type for envelopes in emitted for envelope in envelopes)
        return self._append(connection, types, lambda: append_emitted(connection, log, emitted))

    def _append(
        self, connection: sqlite3.Connection, types: frozenset[str], append: Callable[[], Sequence[Receipt]]
    ) -> Appended:
        tables = self._around.inline.tables(connection, types)
        if not tables:
            return Appended(append())
        head = connection.execute("SELECT pos FROM tidings_head").fetchone()[0]
        receipts = append()
        entries = entries_after(connection, head)
        return Appended(receipts, entries, tables if entries else ())

    async def _fold(self, appended: Appended) -> None:
        folds = self._around.inline.folds
        if folds is not None:
            await folds.apply(self, appended.entries, appended.tables)

    def _advance(self, connection: sqlite3.Connection) -> None:
        if self._to is None:
            leases.check(connection, self._claims)
        else:
            leases.advance(connection, self._claims, to=self._to)
        self._around.ports.points.at("unit:after-advance")


class OpenUnit(AbstractAsyncContextManager["SqliteUnit", None]):
    """A transaction that is committed on leaving unless an exception leaves."""

    def __init__(self, database: Database, around: SqliteSurroundings, claims: Sequence[Claim]) -> None:
        self._held = database.transaction()
        self._around = around
        self._claims = claims

    async def __aenter__(self) -> SqliteUnit:
        with translated(StoreUnavailableError):
            transaction = await self._held.__aenter__()
        self._unit = SqliteUnit(transaction, self._around, self._claims)
        return self._unit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unit.end()
        try:
            if error is None:
                await self._unit.leave()
        finally:
            is_kept = self._unit.is_kept  # it may be, and yet whoever leaves is cancelled while it is
            with translated(StoreUnavailableError):
                await self._held.__aexit__(None, None, None)
            if is_kept:
                self._unit.committed()


def _are_few(arrivals: Sequence[Arrival]) -> bool:
    """Say whether these are kept so fast that they may hold up the event loop, and there are any."""
    if not 0 < len(arrivals) <= HERE_EVENTS:
        return False
    events = sum([len(of_item) for arrival in arrivals for of_item in arrival.events])
    return events <= HERE_EVENTS and sum([len(arrival.received.body) for arrival in arrivals]) <= HERE_BYTES


def _unless_undone(job: Callable[[sqlite3.Connection], T]) -> Callable[[sqlite3.Connection], T]:
    """Return the job, but done only inside the unit's transaction.

    A full disk or a statement's own `OR ROLLBACK` ends it, and what followed would be kept alone.
    """

    def inside(connection: sqlite3.Connection) -> T:
        if not connection.in_transaction:
            raise StoreUnavailableError("SQLite rolled the unit back after an error; nothing of it is kept")
        return job(connection)

    return inside
