"""Requests under a key: their answers, each a row in the transaction of what was done for it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tidings.backends.sqlite.emits import Appender
from tidings.backends.sqlite.unit import SqliteUnit
from tidings.errors import RefusedError
from tidings.events.envelope import Envelope
from tidings.log.driver import Receipt, Write
from tidings.store.driver import StoreDriver
from tidings.store.keyed import KeptAnswer, Request


class SqliteKeyed:
    """See `tidings.store.keyed.Keyed`. The writer is held from the first look for the key on."""

    def __init__(self, unit: SqliteUnit, store: StoreDriver, log: Appender | None, request: Request) -> None:
        self.store = store
        self.kept: KeptAnswer | None = None
        self.appended: list[tuple[Sequence[Envelope], Receipt]] = []
        self._unit = unit
        self._log = log
        self._request = request

    async def begin(self) -> None:
        """Look for the key."""
        self.kept = await self._unit.run(lambda connection: find(connection, self._request))

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        before = len(self.appended)
        try:
            async with self._unit.savepoint():
                yield
        except BaseException:
            del self.appended[before:]
            raise

    async def append(self, write: Write) -> Receipt:
        if self._log is None:
            raise RefusedError("the log is not kept in this database, so nothing can be appended with an answer")
        [receipt] = await self._unit.flush(self._log, [write])
        self.appended.append((write.envelopes, receipt))
        return receipt

    async def keep(self, answer: bytes) -> None:
        await self._unit.run(lambda connection: keep(connection, self._request, answer))


def find(connection: sqlite3.Connection, request: Request) -> KeptAnswer | None:
    """Return what is kept under the request's key; None if it is new."""
    found = connection.execute(
        "SELECT fingerprint, answer FROM tidings_kept_answer WHERE owner = ? AND route = ? AND key = ?",
        (request.owner, request.route, request.key),
    ).fetchone()
    return None if found is None else KeptAnswer(*found)


def keep(connection: sqlite3.Connection, request: Request, answer: bytes) -> None:
    connection.execute(
        "INSERT INTO tidings_kept_answer (owner, route, key, fingerprint, at, answer) VALUES (?, ?, ?, ?, ?, ?)",
        (request.owner, request.route, request.key, request.fingerprint, request.at, answer),
    )


def forget(connection: sqlite3.Connection, *, before: int, limit: int) -> int:
    """Remove the oldest answers kept before this time, `limit` at most; return how many there were."""
    return connection.execute(
        "DELETE FROM tidings_kept_answer WHERE (owner, route, key) IN "
        "(SELECT owner, route, key FROM tidings_kept_answer WHERE at < ? ORDER BY at LIMIT ?)",
        (before, limit),
    ).rowcount
