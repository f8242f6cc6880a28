"""The log on SQLite: one table in append order, and beside it the keys of everything that was ever appended."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from tidings.backends.sqlite import reading
from tidings.backends.sqlite.appender import Draft, MustFoldError, SqliteAppender
from tidings.backends.sqlite.database import Database, translated
from tidings.backends.sqlite.reading import snapshot
from tidings.backends.sqlite.seen import find_anywhere
from tidings.backends.sqlite.seen_pace import Pace
from tidings.backends.sqlite.wakes import Wakes
from tidings.errors import AppendInUnitError, LogUnavailableError, StoreUnavailableError
from tidings.events.envelope import Entry, Envelope
from tidings.events.filter import EVERYTHING, Filter
from tidings.log.driver import Facts, Head, History, Page, Position, Receipt, Write
from tidings.log.seen_key import Sought
from tidings.ports import Ports
from tidings.store.inline import InlineAppends

T = TypeVar("T")

ENVELOPE_BYTES = 16 * 1024 * 1024
WRITE_ENVELOPES = 10_000


class SqliteLog:
    """See `tidings.log.driver.LogDriver`."""

    def __init__(
        self,
        database: Database,
        ports: Ports,
        *,
        appender: SqliteAppender,
        inline: InlineAppends,
        wakes: Wakes,
        pace: Pace,
    ) -> None:
        self.facts = Facts(
            name="sqlite",
            batch_is_atomic=True,
            write_envelopes_max=WRITE_ENVELOPES,
            envelope_bytes_max=ENVELOPE_BYTES,
            id_remembered_for=None,
            expects=frozenset(("subject", "condition")),
            shares_transaction_with_store=True,
            wakes_across_processes=not database.in_memory,
            append_survives=database.survives,
        )
        self._database = database
        self._ports = ports
        self._appender = appender
        self._inline = inline
        self._wakes = wakes
        self._pace = pace

    @property
    def inside_unit(self) -> bool:
        return self._database.inside_unit

    async def append(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        if self.inside_unit:
            raise AppendInUnitError("a unit is open in this task, and an append would wait for its end: emit instead")
        self._check()
        draft = self._appender.draft(writes)
        if not draft.envelopes:
            return [Receipt(outcome="duplicate") for _ in writes]
        if not self._appender.inline_types.isdisjoint(draft.types):
            return await self._fold(writes)
        try:
            return await self._flush(draft)
        except MustFoldError:
            return await self._fold(writes)

    async def append_one(self, envelope: Envelope, *, seconds: float) -> Receipt | None:
        return None

    async def _flush(self, draft: Draft) -> Sequence[Receipt]:
        def flush(connection: sqlite3.Connection) -> Sequence[Receipt]:
            receipts = self._appender.keep(connection, draft, in_unit=False)
            self._ports.points.at("append:commit-sent")
            return receipts

        self._ports.points.at("append:before-begin")
        with translated(LogUnavailableError):
            receipts = await self._database.job(flush)
        self._ports.points.at("append:committed")
        self._appender.appended()
        return receipts

    async def _fold(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        try:
            return await self._inline.inline_flush(writes)
        except StoreUnavailableError as error:
            raise LogUnavailableError(str(error)) from error

    async def _read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        self._check()
        with translated(LogUnavailableError):
            return await self._database.read(job)

    def _check(self) -> None:
        if self._database.closed or self._wakes.closed:
            raise LogUnavailableError("the log is closed; open it again")

    async def read(self, *, after: Position, limit: int, where: Filter = EVERYTHING) -> Page:
        return await self._read(lambda of: reading.page(of, after, limit, where))

    async def history(self, wanted: History) -> Sequence[Entry]:
        return await self._in_unit(lambda of: reading.history(of, wanted))

    async def at(self, positions: Sequence[Position]) -> Sequence[Entry]:
        return await self._in_unit(lambda of: reading.at(of, positions))

    async def _in_unit(self, job: Callable[[sqlite3.Connection], T]) -> T:
        unit = self._database.unit
        if unit is None:
            return await self._read(job)
        with translated(LogUnavailableError):
            return await unit.run(job)

    async def find(self, source: str, id: str) -> Entry | None:
        sought = self._appender.sought(source, id)
        return await self._read(lambda of: _found(of, sought))

    async def last_of(self, subject: str) -> Position:
        return await self._read(lambda of: reading.last_of(of, subject))

    async def recorded_from(self, recorded: int) -> Position:
        return await self._read(lambda of: reading.recorded_from(of, recorded))

    async def count(self, *, after: Position, where: Filter, most: int) -> int:
        return await self._read(lambda of: reading.count(of, where, after, most))

    async def head(self) -> Head:
        self._check()
        with translated(LogUnavailableError):
            return await self._database.peek(reading.head)

    async def wait(self, *, after: Position, timeout: timedelta) -> None:
        self._check()
        with translated(LogUnavailableError):
            woken = self._wakes.expect()  # before the look, so that nothing can come between
        try:
            if (await self.head()).position > after:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout.total_seconds()):
                    await woken
        finally:
            self._wakes.forget(woken)

    async def close(self) -> None:
        await self._wakes.close()
        await self._pace.close()
        await self._database.close()


def _found(connection: sqlite3.Connection, sought: Sought) -> Entry | None:
    with snapshot(connection):
        known = find_anywhere(connection, sought)
        return next(iter(reading.at(connection, list(known.values()))), None)
