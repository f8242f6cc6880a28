"""How the suites open, share and break a store on PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.postgres.proxy import Door
from tests.warm.processes import run
from tidings.backends.postgres.appending import PostgresAppender
from tidings.backends.postgres.database import Database, open_database
from tidings.backends.postgres.log import PostgresLog
from tidings.backends.postgres.store import PostgresStore
from tidings.conformance.store_harness import StillClock
from tidings.log.driver import LogDriver
from tidings.ports import Ports
from tidings.store.driver import StoreDriver

ROOT = Path(__file__).resolve().parents[2]


class PostgresStoreHarness:
    """A store and its log in a database behind a door. It breaks by being shut: every connection is cut, and no new one
    gets through."""

    def __init__(self, door: Door) -> None:
        self.clock = StillClock()
        self._door = door
        self._databases: list[Database] = []
        self._logs: list[PostgresLog] = []

    async def open(self) -> StoreDriver:
        database = await open_database(self._door.url)
        self._databases.append(database)
        appender = PostgresAppender(database.secret, self.clock)
        store = PostgresStore(database, Ports(clock=self.clock), log=appender, now=self.clock.now_us)
        self._logs.append(PostgresLog(database, Ports(), appender=appender, inline=store))
        return store

    async def reopen(self) -> StoreDriver:
        return await self.open()

    async def log(self) -> LogDriver:
        return self._logs[0]

    def owner_that_is_gone(self) -> str:
        return run("tests.conformance.naming_process", folder=ROOT, environment=os.environ).out.strip()

    @asynccontextmanager
    async def breakage(self) -> AsyncIterator[None]:
        async with self._door.shut():
            yield

    async def close(self) -> None:
        for log in self._logs:
            await log.close()
        for database in self._databases:
            await database.close()


class PostgresStagingHarness(PostgresStoreHarness):
    """A store alone, whose log is elsewhere."""

    async def open(self) -> StoreDriver:
        database = await open_database(self._door.url)
        self._databases.append(database)
        return PostgresStore(database, Ports(clock=self.clock), now=self.clock.now_us)
