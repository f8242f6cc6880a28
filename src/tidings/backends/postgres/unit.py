"""One transaction of the store: what a page does, kept together or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeAlias, TypeVar, cast

import asyncpg

from tidings.backends.postgres import leases, outbox, reading, receipts
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.database import Database
from tidings.backends.postgres.emits import Appender, append_emitted, new_among
from tidings.backends.postgres.failures import described, translated
from tidings.backends.postgres.giving_way import giving_way
from tidings.backends.postgres.inline import Inline
from tidings.backends.postgres.sql import Guard, HandlerSql
from tidings.backends.postgres.table import Tables
from tidings.errors import InvalidDataError, RefusedError, SchemaError, StoreUnavailableError
from tidings.events.envelope import Envelope
from tidings.log.driver import Position, Receipt, Write
from tidings.store import statements
from tidings.store.claims import Claim
from tidings.store.receipts import finishing, fresh_among
from tidings.store.rows import Key, Row, ViewTable
from tidings.store.statement_unit import StatementUnit, Surroundings

T = TypeVar("T")
Job: TypeAlias = statements.Job[Connection, T]
Own: TypeAlias = Callable[[Connection], Awaitable[T]]
_Appended: TypeAlias = tuple[Sequence[Receipt], Sequence[tuple[Position, Envelope]]]
"""A receipt for each write, and what was not there before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresSurroundings(Surroundings[Connection, int | None]):
    """What every unit of a store shares."""

    tables: Tables
    inline: Inline
    guard: Guard
    cleared: str
    log: Appender | None


def awaiting(job: Job[T]) -> Own[T]:
    """Return the job: on this back end every statement is to be awaited."""
    return cast("Own[T]", job)


@contextmanager
def told() -> Iterator[None]:
    """Turn PostgreSQL's failures into ours: those that pass, and those that have their reason in what was given."""
    try:
        with translated(StoreUnavailableError):
            yield
    except asyncpg.InFailedSQLTransactionError as error:
        raise RefusedError(
            "a statement failed before in this unit, and PostgreSQL does nothing more in its transaction: let that "
            "error leave the block, or see to it that the statement cannot fail (ON CONFLICT DO NOTHING, say)"
        ) from error
    except asyncpg.CharacterNotInRepertoireError as error:
        raise InvalidDataError("PostgreSQL keeps no text with U+0000: take it out, or keep it as bytes") from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise SchemaError(
            f"PostgreSQL does not allow it to the user ({described(error)}): have it granted, or connect as the "
            "database's owner"
        ) from error
    except asyncpg.InvalidSchemaNameError as error:
        raise SchemaError(
            "no schema in the user's search_path is there, so what is read as a table has no place: run "
            "`ALTER ROLE … SET search_path = public`"
        ) from error


class PostgresUnit(StatementUnit[Connection, int | None]):
    """See `tidings.store.unit.Unit`. Its operations wait for each other, and the leaving for all of them."""

    _around: PostgresSurroundings

    def __init__(self, connection: Connection, around: PostgresSurroundings, claims: Sequence[Claim]) -> None:
        super().__init__(around, claims)
        self.sql = self._handlers = HandlerSql(self._own, around.guard)
        self._connection = connection
        self._turn = asyncio.Lock()
        self._absent: tuple[ViewTable, frozenset[Key]] | None = None

    def run(self, job: Job[T]) -> Coroutine[Any, Any, T]:
        return self._run(awaiting(job))

    async def _run(self, job: Own[T]) -> T:
        async with self._turn:
            self._check()
            with told():
                return await job(self._connection)

    async def _own(self, job: Own[T]) -> T:
        """Run a handler's statement: its own mistakes come out as PostgreSQL tells them."""
        async with self._turn:
            self._check()
            with translated(StoreUnavailableError):
                return await job(self._connection)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        name, emitted, to = f"tidings_{self._depth}", len(self._emitted), self._to
        arrived = len(self._arrivals)
        await self._run(lambda connection: connection.execute(f"SAVEPOINT {name}"))
        self._depth += 1
        try:
            yield
            await self._run(lambda connection: connection.execute(f"RELEASE SAVEPOINT {name}"))
        except BaseException:
            del self._emitted[emitted:], self._arrivals[arrived:]
            self._to, self._absent = to, None
            undo = f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}"
            # The connection may be gone, and with it all that was done; or who was cancelled had released it already.
            with suppress(StoreUnavailableError, asyncpg.InvalidSavepointSpecificationError):
                await self._run(lambda connection: connection.execute(undo))
            raise
        finally:
            self._depth -= 1

    # rows of views
    async def rows(self, view: ViewTable, keys: Sequence[Key]) -> Mapping[Key, Row]:
        table, own = self._around.tables(view), self._is_its_own(view)

        async def find(connection: Connection) -> Mapping[Key, Row]:
            found = await table.rows(connection, keys, whole=not own)
            # What is not there now, nobody else makes who still holds a claim to the partition.
            self._absent = (view, frozenset(keys) - found.keys()) if own else None
            return found

        return await self._run(find)

    def _is_its_own(self, view: ViewTable) -> bool:
        """Say whether each row belongs to one partition of the table's consumer, which this unit holds."""
        return not view.spans and bool(self._claims) and all(claim.consumer == view.consumer for claim in self._claims)

    async def put(self, view: ViewTable, rows: Sequence[Row]) -> None:
        table = self._around.tables(view)

        async def put(connection: Connection) -> None:
            self._absent = None
            await table.put(connection, rows)

        await self._run(put)

    async def replace(self, view: ViewTable, rows: Sequence[Row]) -> None:
        table = self._around.tables(view)

        async def replace(connection: Connection) -> None:
            known, self._absent = self._absent, None
            absent = known[1] if known is not None and known[0] == view else frozenset()
            await table.replace(connection, rows, absent=absent)

        await self._run(replace)

    async def leave(self) -> None:
        """Do all that is left to do before the commit. What is appended holds readers up, so that comes last."""
        async with self._turn:  # whatever was asked before is done first
            with told():
                if self._arrivals:
                    await self._receive(self._connection)
                await self._advance()
                if self._handlers.has_run:  # no commit, of this unit or a later one, may depend on what a handler set
                    await self._connection.execute(self._around.cleared)
        envelopes = [envelope for envelopes in self._emitted for envelope in envelopes]
        self.receipts = await self._append_and_fold(self._emit, envelopes)
        self._around.ports.points.at("unit:after-emit")

    async def flush(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        self._check()
        log = self._around.log
        assert log is not None

        async def append(connection: Connection) -> _Appended:
            receipts = await log.append_in(connection, writes)
            placed = zip(writes, receipts, strict=True)
            return receipts, [each for write, receipt in placed for each in new_among(write.envelopes, receipt)]

        return await self._append_and_fold(append, [envelope for write in writes for envelope in write.envelopes])

    async def _append_and_fold(self, append: Own[_Appended], envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        async def once(*, within: float | None) -> Sequence[Receipt]:
            async with self._turn:
                with told():
                    receipts, new = await append(self._connection)
            await self._fold_new(new, within=within)
            return receipts

        folds = self._around.inline.folds
        if folds is None or folds.stamps.keys().isdisjoint([envelope.type for envelope in envelopes]):
            return await once(within=None)
        with told():
            return await giving_way(self._connection, once)

    async def _receive(self, connection: Connection) -> None:
        self.judged = await receipts.receive(connection, [arrival.received for arrival in self._arrivals])
        self._around.ports.points.at("receiver:receipt-written")
        for received, n in finishing(self._arrivals, self.judged):
            await receipts.finish(connection, n, received.identities, received.items, at=None)
        events = fresh_among(self._arrivals, self.judged)
        if events:
            self._emitted.append(events)

    async def _advance(self) -> None:
        if self._to is None:
            await leases.check(self._connection, self._claims)
        else:
            await leases.advance(self._connection, self._claims, to=self._to)
        self._around.ports.points.at("unit:after-advance")

    async def _emit(self, connection: Connection) -> _Appended:
        log, emitted = self._around.log, self._emitted
        if not emitted:
            return (), ()
        if log is None:
            staged = [envelope for envelopes in emitted for envelope in envelopes]
            await outbox.stage(connection, staged, now=self._around.now())
            return (), ()
        receipts = await append_emitted(connection, log, emitted)
        new = [
            each for envelopes, receipt in zip(emitted, receipts, strict=True) for each in new_among(envelopes, receipt)
        ]
        return receipts, new

    async def _fold_new(self, new: Sequence[tuple[Position, Envelope]], *, within: float | None) -> None:
        if not new:
            return
        inline = self._around.inline
        types = frozenset([envelope.type for _, envelope in new])
        with told():
            tables = await inline.tables(self._connection, types, within=within)
            if not tables or inline.folds is None:
                return
            entries = await reading.at(self._connection, sorted({position for position, _ in new}))
        folding = PostgresUnit(self._connection, self._around, ())  # to everybody else this one may have ended
        await inline.folds.apply(folding, entries, tables)
        folding.end()


class OpenUnit(AbstractAsyncContextManager["PostgresUnit", None]):
    """A transaction that begins on entering, and is committed on leaving unless an exception leaves."""

    def __init__(self, database: Database, around: PostgresSurroundings, claims: Sequence[Claim]) -> None:
        self._held = database.transaction()
        self._around = around
        self._claims = claims

    async def __aenter__(self) -> PostgresUnit:
        with translated(StoreUnavailableError):
            connection = await self._held.__aenter__()
        self._unit = PostgresUnit(connection, self._around, self._claims)
        return self._unit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unit.end()
        if error is None:
            try:
                await self._unit.leave()
                self._around.ports.points.at("unit:commit-sent")
            except BaseException as late:
                await self._undo(late)
                raise
            with told():
                await self._held.__aexit__(None, None, None)
            self._unit.committed()
        else:
            await self._undo(error)

    async def _undo(self, error: BaseException) -> None:
        """Roll back. A connection that is gone rolls back by itself, and must not hide what happened."""
        with suppress(StoreUnavailableError), translated(StoreUnavailableError):
            await self._held.__aexit__(type(error), error, error.__traceback__)
