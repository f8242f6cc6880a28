"""Requests under a key: their answers, each a row in the transaction of what was done for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tidings.backends.postgres import locks
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.emits import Appender
from tidings.backends.postgres.unit import PostgresUnit
from tidings.errors import RefusedError
from tidings.events.envelope import Envelope
from tidings.log.driver import Receipt, Write
from tidings.store.driver import StoreDriver
from tidings.store.keyed import KeptAnswer, Request


class PostgresKeyed:
    """See `tidings.store.keyed.Keyed`. Its key is locked from the first look for it on."""

    def __init__(self, unit: PostgresUnit, store: StoreDriver, log: Appender | None, request: Request) -> None:
        self.store = store
        self.kept: KeptAnswer | None = None
        self.appended: list[tuple[Sequence[Envelope], Receipt]] = []
        self._unit = unit
        self._log = log
        self._request = request

    async def begin(self) -> None:
        """Look for the key, once nobody else is at it."""
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


async def find(connection: Connection, request: Request) -> KeptAnswer | None:
    """Return what is kept under the request's key; None if it is new. Who asks for the same waits for this one."""
    named = request.owner, request.route, request.key
    await locks.alone_with(connection, locks.ANSWERS, *named)
    found = await connection.fetchrow(
        "SELECT fingerprint, answer FROM tidings.kept_answer WHERE owner = $1 AND route = $2 AND key = $3", *named
    )
    return None if found is None else KeptAnswer(*found)


async def keep(connection: Connection, request: Request, answer: bytes) -> None:
    await connection.execute(
        "INSERT INTO tidings.kept_answer (owner, route, key, fingerprint, at, answer) VALUES ($1, $2, $3, $4, $5, $6)",
        request.owner,
        request.route,
        request.key,
        request.fingerprint,
        request.at,
        answer,
    )


async def forget(connection: Connection, *, before: int, limit: int) -> int:
    """Remove the oldest answers kept before this time, `limit` at most; return how many there were."""
    removed = await connection.fetch(
        "DELETE FROM tidings.kept_answer WHERE (owner, route, key) IN "
        "(SELECT owner, route, key FROM tidings.kept_answer WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) "
        "RETURNING 1",
        before,
        limit,
    )
    return len(removed)
