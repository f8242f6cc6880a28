"""One SQLite database: a writer with a thread of its own, and readers beside it.

Every write reaches the one writing connection through a FIFO. A job is one hop to the thread; a transaction holds the
writer over several hops. In memory there is one connection for everything, so reads wait in the same FIFO.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from queue import SimpleQueue
from typing import Literal, TypeVar

from tidings.backends.sqlite.schema import prepare
from tidings.errors import LogUnavailableError, StoreUnavailableError

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]
Synchronous = Literal["full", "normal"]

MEMORY = ":memory:"
READERS = 3
CHECKPOINT_PAGES = 10_000
IDLE_CHECKPOINT_PAGES = 1_000
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


class Transaction:
    """An open transaction on the writer. Each `run` is one hop to its thread."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, job: Job[T]) -> T:
        return await self._database.hop(job)


class Database:
    """The connections to one file, or to one database in memory, of one event loop."""

    def __init__(self, path: str, *, synchronous: Synchronous = "full") -> None:
        self.path = path
        self.in_memory = path == MEMORY
        self.closed = False
        self._is_shut = False
        self._synchronous = synchronous
        self._writing = asyncio.Lock()
        self._queued = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tidings-writer")
        self._inside: ContextVar[bool] = ContextVar(f"inside a unit of {path}", default=False)
        self._writer = self._connect()
        prepare(self._writer, path)
        self.secret: bytes = self._writer.execute("SELECT secret FROM tidings_head").fetchone()[0]
        self._pages = _PageCount()
        self._checkpointer = self._writer if self.in_memory else self._connect()
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="tidings-reader")
        if not self.in_memory:
            for _ in range(READERS):
                self._readers.put(self._connect(query_only=True))

    def _connect(self, *, query_only: bool = False) -> sqlite3.Connection:
        # Autocommit: we say BEGIN ourselves. The default would begin deferred and fail when two processes meet.
        connection = sqlite3.connect(
            self.path, timeout=5, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={self._synchronous.upper()}")
        connection.execute("PRAGMA fullfsync=ON")  # only macOS heeds it
        connection.execute("PRAGMA cache_size=-65536" if not query_only else "PRAGMA cache_size=-16384")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        if query_only:
            connection.execute("PRAGMA query_only=ON")
        return connection

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
    def inside_unit(self) -> bool:
        """Whether the running task stands inside a transaction of this database."""
        return self._inside.get()

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
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = job(connection)
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
            self._after_commit(connection)
            return result

        async with self._held():
            return await self.hop(partial(self._without_flush, whole) if lazily else whole)

    def _without_flush(self, job: Job[T], connection: sqlite3.Connection) -> T:
        connection.execute("PRAGMA synchronous=NORMAL")
        try:
            return job(connection)
        finally:
            connection.execute(f"PRAGMA synchronous={self._synchronous.upper()}")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Hold the writer: BEGIN IMMEDIATE now, COMMIT on leaving, ROLLBACK if an exception leaves."""
        async with self._held():
            token = self._inside.set(True)
            try:
                await self.hop(lambda connection: connection.execute("BEGIN IMMEDIATE"))
                yield Transaction(self)
                await self.hop(self._commit)
            except BaseException:
                await self.hop(_roll_back)
                raise
            finally:
                self._inside.reset(token)

    async def read(self, job: Job[T]) -> T:
        """Run a query on a reader: it sees what is committed, or inside a unit in memory, what the unit sees."""
        if self._is_shut:
            raise DatabaseClosedError
        if not self.in_memory:
            return await asyncio.get_running_loop().run_in_executor(self._reading, self._borrow, job)
        if self.inside_unit:
            return await self.hop(job)
        async with self._held():
            return await self.hop(job)

    def _borrow(self, job: Job[T]) -> T:
        connection = self._readers.get()
        try:
            return job(connection)
        finally:
            self._readers.put(connection)

    async def hop(self, job: Job[T]) -> T:
        """Run on the writer's thread. Cancelling waits for the job's end, so that nobody else meets it half-way."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, job, self._writer)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                with suppress(asyncio.CancelledError, Exception):
                    await asyncio.wait([future])
            raise

    def _commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")
        self._after_commit(connection)

    def _after_commit(self, connection: sqlite3.Connection) -> None:
        if self.in_memory:
            return
        limit = CHECKPOINT_PAGES if self._queued > 1 else IDLE_CHECKPOINT_PAGES
        if self._pages.since_checkpoint(connection.total_changes) >= limit:
            self._checkpoint(connection)

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        # Releases before 3.51.3 can corrupt the file when a commit meets a second checkpoint: none may meanwhile.
        with suppress(sqlite3.Error):
            connection.execute("BEGIN IMMEDIATE")
            try:
                _, frames, _ = self._checkpointer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self._pages.checkpointed(connection.total_changes, frames)
            finally:
                connection.execute("ROLLBACK")

    async def close(self) -> None:
        """Wait for the running job, then close every connection; twice is once."""
        if self.closed:
            return
        self.closed = True
        async with self._writing:
            self._is_shut = True
            await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._thread.shutdown(wait=True)
        self._reading.shutdown(wait=True)
        while not self._readers.empty():
            self._readers.get().close()
        self._checkpointer.close()
        self._writer.close()


class _PageCount:
    """Guesses how many pages the write-ahead log holds: SQLite tells only when a checkpoint is run."""

    __slots__ = ("_base", "_pages_per_change")

    def __init__(self) -> None:
        self._base = 0
        self._pages_per_change = 0.5

    def since_checkpoint(self, changes: int) -> float:
        return (changes - self._base) * self._pages_per_change

    def checkpointed(self, changes: int, frames: int) -> None:
        if changes > self._base and frames > 0:
            self._pages_per_change = min(8.0, max(0.05, frames / (changes - self._base)))
        self._base = changes


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
