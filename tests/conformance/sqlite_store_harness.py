"""How the suites open, share and break a store on SQLite."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.warm.processes import run
from tidings.backends.sqlite import Sqlite, open_sqlite
from tidings.backends.sqlite.database import MEMORY, Database
from tidings.backends.sqlite.seen_run import SIZES, Sizes
from tidings.backends.sqlite.store import SqliteStore
from tidings.conformance.store_harness import StillClock
from tidings.log.driver import LogDriver
from tidings.ports import Ports
from tidings.store.driver import StoreDriver

UNBOUNDED = 1 << 30

ROOT = Path(__file__).resolve().parents[2]


class SqliteStoreHarness:
    """A store and its log in a database at `path`, or in memory. It breaks as disks do: by being full.

    In memory keys are moved as soon as there are a few, in a file none are while a test lasts.
    """

    def __init__(self, path: str) -> None:
        self.clock = StillClock()
        self.ports = Ports(clock=self.clock)
        self._path = path
        self._opened: list[Sqlite] = []
        self._databases: list[Database] = []

    async def open(self) -> StoreDriver:
        sizes = Sizes(receipts=2) if self._path == MEMORY else SIZES
        opened = open_sqlite(self._path, self.ports, sizes=sizes)
        self._opened.append(opened)
        self._databases.append(opened.store._database)
        return opened.store

    async def reopen(self) -> StoreDriver:
        return await self.open()

    async def log(self) -> LogDriver:
        return self._opened[0].log

    def owner_that_is_gone(self) -> str:
        return run("tests.conformance.naming_process", folder=ROOT, environment=os.environ).out.strip()

    @asynccontextmanager
    async def breakage(self) -> AsyncIterator[None]:
        await self._limit_pages(1)  # SQLite takes it as the number of pages there are
        yield
        await self._limit_pages(UNBOUNDED)

    async def _limit_pages(self, count: int) -> None:
        for database in self._databases:
            await database.hop(lambda connection: connection.execute(f"PRAGMA max_page_count = {count}"))

    async def close(self) -> None:
        for opened in self._opened:
            await opened.close()
        for database in self._databases:
            await database.close()


class SqliteStagingHarness(SqliteStoreHarness):
    """A store alone, whose log is elsewhere."""

    async def open(self) -> StoreDriver:
        database = Database(self._path)
        self._databases.append(database)
        return SqliteStore(database, self.ports)
