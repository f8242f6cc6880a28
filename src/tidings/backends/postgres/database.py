"""One PostgreSQL database: a pool of connections, and who stands inside one of its transactions.

Every statement is right behind a pooler that hands each transaction to another server process (PgBouncer in
transaction mode): locks and settings last for a transaction, and where a pooler is found, nothing is prepared by name.
A statement without a name is parsed and executed between two of the driver's Sync messages, so by one process.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from typing import Any

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from tidings.backends.postgres import rewound
from tidings.backends.postgres.connection import (
    APPLICATION,
    CONNECT_SECONDS,
    IDLE_SECONDS,
    ON_ITS_OWN,
    STATEMENT_SECONDS,
    Connection,
)
from tidings.backends.postgres.failures import DRIVER_ERRORS, described, not_opened
from tidings.backends.postgres.hole import Hole
from tidings.backends.postgres.migrations import prepare
from tidings.backends.postgres.pool import Pool
from tidings.backends.postgres.server import Server, look, refusal
from tidings.backends.postgres.transaction import begun
from tidings.backends.postgres.urls import refused, split_url
from tidings.errors import SchemaError, SequenceRewoundError
from tidings.settings import without_secrets

CONNECTIONS = 10
"""Most connections of the pool of one process: four flushes, some units, and readers."""
CLOSING_SECONDS = 10.0

# A user called tidings, or as a service, as many will be, would find the schema of that name first, from when it is
# made: tables of handlers, made before, would be hidden by new ones. One where the service's own views are was the
# user's before it was the service's. What is no schema yet stays out, since it may become one of ours.
_PATH = """
SELECT coalesce(string_agg(quote_ident(p.schema), ', ' ORDER BY p.n) FILTER (WHERE p.schema <> 'tidings'
  AND (p.schema <> current_user OR p.schema NOT IN (SELECT service FROM tidings.view) OR EXISTS (
    SELECT FROM tidings.view v JOIN pg_class c ON c.relname = v.service || '_' || v.name
    JOIN pg_namespace s ON s.oid = c.relnamespace WHERE v.service = p.schema AND s.nspname = p.schema))), 'public')
FROM unnest(current_schemas(false)) WITH ORDINALITY AS p(schema, n) HAVING count(*) > 0
"""

_NAMED = re.compile(r' "[^"]*"')
"""What the server quotes when it lets nobody in: user, database, address. Callers are told why, and not who."""


class _Open:
    """A transaction, as the tasks know it that stand inside it."""

    __slots__ = ("connection", "is_over")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_over = False


class Database:
    """The connections of one event loop to one database. Made by `open_database`.

    `place`: where it is, without anything secret. `secret`, `incarnation`: the log's own, as `tidings.head` has them.
    `path`: the search_path; None for the user's own, which names no schema that is there. `hole`: what this process's
    readers of the log wait for.
    `cleared`: what undoes, in a transaction, whatever a handler's statements left in its session.
    `pool_by_name`: whose connections statements may be prepared on by name; None where a pooler stands between.
    """

    def __init__(
        self,
        url: str,
        *,
        server: Server,
        secret: bytes,
        incarnation: str,
        path: str | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        self.place = without_secrets(url)
        self.server = server
        self.secret = secret
        self.incarnation = incarnation
        self.closed = False
        self.hole = Hole()
        self._url = url
        self._settings = f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"
        if path is not None:
            self._settings += f"; SET LOCAL search_path = {path}"
        self.cleared = "RESET ALL; DISCARD TEMP" + (f"; {self._settings}" if server.is_pooled else "")
        self._inside: ContextVar[_Open | None] = ContextVar(f"inside a unit of {self.place}", default=None)
        self._pool = Pool(partial(self._checked, path=path), most=connections)
        self.pool_by_name = None if server.is_pooled else self._pool

    @property
    def listens(self) -> bool:
        """Whether a connection may LISTEN: not through a pooler, which would hand it to somebody else."""
        return not self.server.is_pooled

    @property
    def inside_unit(self) -> bool:
        """Whether the running task stands inside a transaction of this database, which is still open."""
        return self.unit_connection is not None

    @property
    def unit_connection(self) -> Connection | None:
        """The connection of the transaction that the running task stands inside; None if it stands in none."""
        found = self._inside.get()  # a task inherits it from who began it, and may outlive it
        return None if found is None or found.is_over else found.connection

    def commits(self, synchronous_commit: str) -> None:
        """Be told what this setting is now: it may be switched while the program runs."""
        if synchronous_commit != self.server.synchronous_commit:
            self.server = replace(self.server, synchronous_commit=synchronous_commit)

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection, each of whose statements is a transaction of its own.

        Inside a unit it is the unit's, whose writes it sees: a second one, while every other is held by a unit that
        wants the same, would never come free.
        """
        own = self.unit_connection
        return self._pool.lent() if own is None else nullcontext(own)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """BEGIN, READ COMMITTED: COMMIT on leaving, ROLLBACK if an exception leaves. The task is inside a unit."""
        async with self._pool.lent() as connection:
            opened = _Open(connection)
            token = self._inside.set(opened)
            try:
                async with self._begun(connection):
                    yield connection
            finally:
                opened.is_over = True
                self._inside.reset(token)

    @asynccontextmanager
    async def _begun(self, connection: Connection) -> AsyncIterator[None]:
        async with begun(connection):
            if self.server.is_pooled:
                await connection.execute(self._settings)
            yield

    async def own_connection(self) -> Connection:
        """Open a connection outside the pool, which the caller closes: for LISTEN, or what must never wait for one."""
        return await self._connected(path=None)

    async def _connected(self, *, path: str | None) -> Connection:
        """Connect to whatever is the primary now: who reads from a standby would pass over what is not there yet.

        ConnectionError also where the server lets this user in no more: it did before, so whoever runs it sees to that.
        """
        try:
            return await _connect(self._url, is_pooled=self.server.is_pooled, path=path, to=SessionAttribute.read_write)
        except asyncpg.PostgresError as error:
            raise ConnectionError(_NAMED.sub("", described(error))) from error

    async def _checked(self, *, path: str | None) -> Connection:
        """Connect, unless it is another server by now, to which no sequence was copied: that one is as good as away."""
        connection = await self._connected(path=path)
        try:
            await rewound.check(connection)
        except BaseException as error:
            connection.terminate()
            if isinstance(error, SequenceRewoundError):
                raise ConnectionError(str(error)) from error
            raise
        return connection

    async def close(self) -> None:
        """Wait for what is under way, for some seconds, then close every connection; twice is once."""
        if self.closed:
            return
        self.closed = True
        await self._pool.close(within=CLOSING_SECONDS)


async def open_database(url: str, *, connections: int = CONNECTIONS, create: bool = True) -> Database:
    """Connect to the database at `url`, and make the tables of tidings if there are none and `create` says so.

    `connections`: most of this process. SettingError if the URL or the user in it is wrong; SchemaError if the server,
    its settings, the user's rights or the schema are not what this release can work with: the message has the command
    to run; SequenceRewoundError if its next position was used before; StoreUnavailableError if it cannot be reached
    now.
    """
    async with first_connection(url) as (first, server):
        await prepare(first, without_secrets(url), create=create)
        await rewound.check(first)
        head = await first.fetchrow("SELECT secret, incarnation FROM tidings.head")
        path = await first.fetchval(_PATH)
    return Database(
        url, server=server, secret=head["secret"], incarnation=head["incarnation"], path=path, connections=connections
    )


@asynccontextmanager
async def first_connection(url: str) -> AsyncIterator[tuple[Connection, Server]]:
    """Lend a connection to a server that tidings can work with, whatever tables are there. Errors as `open_database`.

    Nothing is prepared on it by name, and no setting is asked for, since there may be a pooler.
    """
    place = without_secrets(url)
    with _told(place):
        first = await _connect(url, is_pooled=True)
        try:
            yield first, await _usable(first, place)
        finally:
            with suppress(*DRIVER_ERRORS):
                await first.close(timeout=CONNECT_SECONDS)


async def _usable(connection: Connection, place: str) -> Server:
    """Return what server it is; SchemaError if tidings cannot work with it, asyncpg's error if no unit can begin."""
    server = await look(connection)
    wrong = refusal(server)
    if wrong is not None:
        raise SchemaError(f"{place} cannot be used: {wrong}")
    if server.is_pooled:
        async with connection.transaction():
            pass  # which one mode of pooling does not take
    return server


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Tell in the operator's words why a database cannot be opened."""
    try:
        yield
    except DRIVER_ERRORS as error:
        told = not_opened(error, place)
        if told is None:
            raise
        raise told from error


async def _connect(
    url: str, *, is_pooled: bool, path: str | None = None, to: SessionAttribute | None = None
) -> Connection:
    """Connect. `to`: which servers will do; None: what the URL says."""
    split_url(url)
    try:
        options = _options(is_pooled=is_pooled, path=path)
        opened: Connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS, target_session_attrs=to, **options)
    except ssl.SSLCertVerificationError:  # which is a ValueError, too
        raise
    except (ValueError, OverflowError) as error:
        raise refused(url, error) from None
    return opened


def _options(*, is_pooled: bool, path: str | None = None) -> dict[str, Any]:
    """Return how to connect. Through a pooler nothing is kept in a session: the next moment it is somebody else's."""
    settings = {"application_name": APPLICATION} if is_pooled else {"application_name": APPLICATION, **ON_ITS_OWN}
    if path is not None and not is_pooled:
        settings["search_path"] = path
    return {
        "connection_class": Connection,
        "command_timeout": STATEMENT_SECONDS,
        "server_settings": settings,
        "statement_cache_size": 0 if is_pooled else 512,
    }
