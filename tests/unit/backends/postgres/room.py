"""A store with its log on PostgreSQL that a test may look into."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tidings.backends.postgres.appending import PostgresAppender
from tidings.backends.postgres.database import Database, open_database
from tidings.backends.postgres.log import PostgresLog
from tidings.backends.postgres.store import PostgresStore
from tidings.ports import Ports


@dataclass(frozen=True)
class Opened:
    database: Database
    store: PostgresStore
    log: PostgresLog

    async def rows(self, query: str, *held: Any) -> list[tuple[Any, ...]]:
        async with self.database.connection() as connection:
            return [tuple(row) for row in await connection.fetch(query, *held)]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Opened]:
    database = await open_database(url)
    ports = Ports()
    appender = PostgresAppender(database.secret, ports.clock)
    store = PostgresStore(database, ports, log=appender)
    log = PostgresLog(database, ports, appender=appender, inline=store)
    yield Opened(database, store, log)
    await log.close()
