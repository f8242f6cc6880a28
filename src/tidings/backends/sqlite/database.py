"""One SQLite database: a writer with a thread of its own, and readers beside it.

Every write reaches the one writing connection through a FIFO. A job is one hop to the thread; a transaction holds the
writer over several hops, and may do what takes little time on the event loop's thread instead. In memory there is one
connection for everything, so reads wait in the same FIFO.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from queue import SimpleQueue
from typing import Literal, TypeVar

from tidings.backends.sqlite.binding import spare_looks
from tidings.backends.sqlite.connecting import BUSY_SECONDS, Synchronous, check_release, connected, unless_busy
from tidings.backends.sqlite.schema import prepare
from tidings.backends.sqlite.threads import Lasting, Threads
from tidings.backends.sqlite.transaction import Job, Transaction
from tidings.backends.sqlite.wal import Quiet, Wal
from tidings.errors import LogUnavailableError, StoreUnavailableError
from tidings.log.seen_key import Keys

T = TypeVar("T")

MEMORY = ":memory:"
READERS = 3
_TRANSIENT = {
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
    "SQLITE_READONLY",
    "SQLITE_NOMEM",
}


def is_transient(error: sqlite3.Error) -> bool:
    """Say whether the same call may succeed later: the file is locked, the disk is full, input or output failed."""
    name: str = getattr(error, "sqlite_errorname", "") or ""
    return "_".join(name.split("_")[:2]) in _TRANSIENT


class DatabaseClosedError(Exception):
    """The database was closed before the job came to its turn; nothing of it was done."""


@contextmanager
def translated(kind: type[LogUnavailableError] | type[StoreUnavailableError]) -> Iterator[None]:
    """Turn SQLite's passing failures into `kind`; anything else stays what it is."""
    try:
        yield
    except DatabaseClosedError as error:
        raise kind("the database is closed; open it again") from error
    except sqlite3.Error as error:
        if is_transient(error):
            raise kind(f"SQLite could not do it now ({error}); repeat the call") from error
        raise


class Database:
    """The connections to one file, or to one database in memory, of one event loop.

    `transactions` counts those that were begun; each of `on_commit` is called after each commit, before the next can
    begin, both on the writer's thread.
    """

    def __init__(self, path: str, *, synchronous: Synchronous = "full") -> None:
        check_release()
        self.path = path
        self.in_memory = path == MEMORY
        self.closed = False
        self.transactions = 0
        self.on_commit: list[Callable[[], None]] = []
        self._is_shut = False
        self._synchronous = synchronous
        self._writing = asyncio.Lock()
        self._queued = 0
        self._thread = Threads(1, "tidings-writer", Lasting)
        self._inside: ContextVar[Transaction | None] = ContextVar(f"inside a unit of {path}", default=None)
        spare_looks()
        self._writer = self._connect()
        prepare(self._writer, path)
        self.keys = Keys(self._writer.execute("SELECT secret FROM tidings_head").fetchone()[0])
        self._wal = None if self.in_memory else Wal(self._connect(), f"{path}-wal")
        self._quiet = None if self._wal is None else Quiet(self._wal, partial(self._take_in, self._wal))
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._reading = Threads(READERS, "tidings-reader")
        self._peeking: sqlite3.Connection | None = None
        if not self.in_memory:
            self._peeking = self._connect(query_only=True)
            self._peeking.execute("PRAGMA busy_timeout=0")
            for _ in range(READERS):
                self._readers.put(self._connect(query_only=True))

    def _connect(self, *, query_only: bool = False) -> sqlite3.Connection:
        return connected(self.path, self._synchronous, query_only=query_only)

    @property
    def survives(self) -> Literal["nothing", "process", "power"]:
        """What a commit outlives."""
        if self.in_memory:
            return "nothing"
        return "power" if self._synchronous == "full" else "process"

    @property
    def connect_idle(self) -> Callable[[], sqlite3.Connection] | None:
        """Opens a connection for looking whether another process has written; None in memory, where none can."""
        return None if self.in_memory else partial(self._connect, query_only=True)

    @property
    def unit(self) -> Transaction | None:
        """The transaction of this database that the running task stands inside, if it is still open."""
        transaction = self._inside.get()  # a task inherits it from who began it, and may outlive it
        return transaction if transaction is not None and transaction.is_open else None

    @property
    def inside_unit(self) -> bool:
        """Whether the running task stands inside a transaction of this database, which is still open."""
        return self.unit is not None

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        """Hold the writer, first come, first served."""
        self._queued += 1
        try:
            async with self._writing:
                if self._is_shut:
                    raise DatabaseClosedError
                yield
        finally:
            self._queued -= 1

    async def job(self, job: Job[T], *, lazily: bool = False) -> T:
        """Run `job` in a transaction of its own, in one hop; an exception rolls it back.

        `lazily`: it need not outlive a power loss, so nothing is flushed for it; the next commit's flush covers it.
        """

        def whole(connection: sqlite3.Connection) -> T:
            self._begin(connection)
            try:
                result = job(connection)
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
            self._after_commit(connection)
            return result

        async with self._held():
            result = await self.hop(partial(self._without_flush, whole) if lazily else whole)
        self._written()
        return result

    def _written(self) -> None:
        if self._quiet is not None:
            self._quiet.written()

    def _without_flush(self, job: Job[T], connection: sqlite3.Connection) -> T:
        connection.execute("PRAGMA synchronous=NORMAL")
        try:
            return job(connection)
        finally:
            connection.execute(f"PRAGMA synchronous={self._synchronous.upper()}")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Hold the writer: BEGIN IMMEDIATE with the first job. What is not committed on leaving is rolled back."""
        async with self._held():
            transaction = Transaction(
                hop=self.hop, begin=self._begin, begin_at_once=self._begin_at_once, commit=self._commit
            )
            token = self._inside.set(transaction)
            try:
                yield transaction
            finally:
                if transaction.is_open and transaction.has_begun:
                    await self.hop(_roll_back)
                transaction.is_open = False
                self._inside.reset(token)
        self._written()

    async def read(self, job: Job[T]) -> T:
        """Run a query on a reader: it sees what is committed, or inside a unit in memory, what the unit sees.

        The first query inside a unit begins it, also if it is one of these: what was read holds until the unit ends.
        """
        if self._is_shut:
            raise DatabaseClosedError
        transaction = self.unit
        if transaction is not None and (self.in_memory or not transaction.has_begun):
            return await transaction.run(job)
        if not self.in_memory:
            return await self._reading.run(partial(self._borrow, job))
        async with self._held():
            return await self.hop(job)

    async def peek(self, job: Job[T]) -> T:
        """Run a query that touches a few pages, whatever is kept: on the event loop's thread, as a hop costs more.

        It never waits for a lock: what cannot be had at once, or inside a unit, is a `read`.
        """
        if self._peeking is not None and self.unit is None and not self._is_shut:
            with suppress(sqlite3.Error):
                return job(self._peeking)
        return await self.read(job)

    def _borrow(self, job: Job[T]) -> T:
        connection = self._readers.get()
        try:
            return job(connection)
        finally:
            self._readers.put(connection)

    async def hop(self, job: Job[T]) -> T:
        """Run on the writer's thread. Who is cancelled waits for the job's end."""
        return await self._thread.run(partial(job, self._writer))

    def _commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")
        self._after_commit(connection)

    def _begin(self, connection: sqlite3.Connection) -> None:
        self.transactions += 1
        connection.execute("BEGIN IMMEDIATE")

    def _begin_at_once(self) -> sqlite3.Connection | None:
        """Begin, by whoever holds the writer, and return it; None, without waiting, while another process writes."""
        writer = self._writer
        writer.execute("PRAGMA busy_timeout=0")
        try:
            with unless_busy():
                self._begin(writer)
                return writer
            return None
        finally:
            writer.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1_000}")

    def _after_commit(self, connection: sqlite3.Connection) -> None:
        for told in self.on_commit:
            told()
        if self._wal is not None:
            self._wal.committed(connection)

    async def _take_in(self, wal: Wal) -> None:
        with suppress(DatabaseClosedError):
            async with self._held():
                await self.hop(wal.take_in)

    async def close(self) -> None:
        """Wait for the running job, then close every connection; twice is once."""
        if self.closed:
            return
        self.closed = True
        if self._quiet is not None:
            await self._quiet.stop()
        async with self._writing:
            self._is_shut = True
            await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._thread.close()
        self._reading.close()
        while not self._readers.empty():
            self._readers.get().close()
        if self._peeking is not None:
            self._peeking.close()
        if self._wal is not None:
            self._wal.close()
        self._writer.close()


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
