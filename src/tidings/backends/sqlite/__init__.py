"""The SQLite back end: the log and the store in one file, or in memory."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tidings.backends.sqlite.appender import SqliteAppender
from tidings.backends.sqlite.database import Database, Synchronous, is_transient
from tidings.backends.sqlite.host import SqliteHost
from tidings.backends.sqlite.log import SqliteLog
from tidings.backends.sqlite.schema import APPLICATION_ID
from tidings.backends.sqlite.seen import Seen
from tidings.backends.sqlite.seen_pace import Pace
from tidings.backends.sqlite.seen_run import SIZES, Sizes
from tidings.backends.sqlite.seen_upkeep import Upkeep
from tidings.backends.sqlite.store import SqliteStore
from tidings.backends.sqlite.wakes import Wakes
from tidings.errors import OperatorError, SchemaError, StoreUnavailableError
from tidings.ports import Ports


@dataclass(frozen=True, slots=True)
class Sqlite:
    """A log and a store that share their transactions."""

    log: SqliteLog
    store: SqliteStore
    host: SqliteHost

    async def close(self) -> None:
        """Let go of everything; twice is once."""
        await self.log.close()
        await self.store.close()


def open_sqlite(path: str, ports: Ports, *, synchronous: Synchronous = "full", sizes: Sizes = SIZES) -> Sqlite:
    """Open the database at `path`, or one in memory for ":memory:", and make its tables if they are not there.

    `synchronous` "normal" may lose acknowledged appends at power loss. `sizes`: for tests. SchemaError if it belongs to
    another release, or is no database at all; StoreUnavailableError if it cannot be opened now.
    """
    try:
        database = Database(path, synchronous=synchronous)
    except sqlite3.Error as error:
        raise _not_opened(path, error) from error
    seen = Seen(lambda: database.transactions)
    database.on_commit = seen.committed
    wakes = Wakes(ports.clock, database.connect_idle)
    pace = Pace(database, seen, Upkeep(sizes, ports.points), sizes=sizes, clock=ports.clock)

    def committed() -> None:
        wakes.wake()
        pace.appended()

    appender = SqliteAppender(database.secret, seen, ports, committed)
    store = SqliteStore(database, ports, log=appender)
    log = SqliteLog(database, ports, appender=appender, inline=store, wakes=wakes, pace=pace)
    return Sqlite(log, store, SqliteHost(path))


def holds_log(path: str) -> bool:
    """Say whether there is a file at `path`, and in it a database with a log, of whatever release. Nothing is made.

    SchemaError if it is no database; StoreUnavailableError if it cannot be read now.
    """
    if not Path(path).is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            return bool(connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,))
    except sqlite3.Error as error:
        raise _not_opened(path, error) from error


def _not_opened(path: str, error: sqlite3.Error) -> OperatorError:
    if is_transient(error):
        return StoreUnavailableError(
            f"the database {path} cannot be opened now ({error}): see that its folder is there and may be written to, "
            "and that nobody holds it locked"
        )
    return SchemaError(f"{path} cannot be used as a database ({error}): point TIDINGS_DATABASE_URL at another file")
