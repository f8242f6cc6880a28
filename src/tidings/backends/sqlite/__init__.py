"""The SQLite back end: the log and the store in one file, or in memory."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from tidings.backends.sqlite.appender import SqliteAppender
from tidings.backends.sqlite.connecting import Synchronous
from tidings.backends.sqlite.database import Database
from tidings.backends.sqlite.host import SqliteHost
from tidings.backends.sqlite.log import SqliteLog
from tidings.backends.sqlite.migrating import not_opened
from tidings.backends.sqlite.seen import Seen
from tidings.backends.sqlite.seen_pace import Pace
from tidings.backends.sqlite.seen_run import SIZES, Sizes
from tidings.backends.sqlite.seen_upkeep import Upkeep
from tidings.backends.sqlite.store import SqliteStore
from tidings.backends.sqlite.wakes import Wakes
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
        raise not_opened(path, error) from error
    seen = Seen(lambda: database.transactions)
    database.on_commit.append(seen.committed)
    wakes = Wakes(ports.clock, database.connect_idle)
    pace = Pace(database, seen, Upkeep(sizes, ports.points), sizes=sizes, clock=ports.clock)

    def committed() -> None:
        wakes.wake()
        pace.appended()

    appender = SqliteAppender(database.keys, seen, ports, committed)
    store = SqliteStore(database, ports, log=appender, sizes=sizes)
    log = SqliteLog(database, ports, appender=appender, inline=store, wakes=wakes, pace=pace)
    return Sqlite(log, store, SqliteHost(path))
