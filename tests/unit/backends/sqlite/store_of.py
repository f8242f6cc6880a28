"""A store in a database that a test may look into."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tidings.backends.sqlite import open_sqlite
from tidings.backends.sqlite.database import Database
from tidings.backends.sqlite.log import SqliteLog
from tidings.backends.sqlite.store import SqliteStore
from tidings.conformance.store_harness import StillClock
from tidings.ports import Ports


class NeverQuiet(StillClock):
    """A clock by which it never becomes quiet, so that the upkeep of keys is done by nobody but the test."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


@dataclass
class Passed:
    """Notes the crash points that were passed."""

    names: list[str] = field(default_factory=list)

    def at(self, name: str) -> None:
        self.names.append(name)


@dataclass
class Opened:
    store: SqliteStore
    log: SqliteLog
    points: Passed

    @property
    def database(self) -> Database:
        return self.store._database

    async def rows(self, query: str, *held: Any) -> list[tuple[Any, ...]]:
        return await self.database.hop(lambda connection: connection.execute(query, held).fetchall())

    async def plan(self, query: str, *held: Any) -> str:
        return "\n".join(row[3] for row in await self.rows(f"EXPLAIN QUERY PLAN {query}", *held))

    @asynccontextmanager
    async def steps(self) -> AsyncIterator[list[str]]:
        """Note the statements that the writer runs inside."""
        found: list[str] = []

        def trace(connection: sqlite3.Connection, callback: Any) -> None:
            connection.set_trace_callback(callback)

        await self.database.hop(lambda connection: trace(connection, found.append))
        yield found
        await self.database.hop(lambda connection: trace(connection, None))


@asynccontextmanager
async def opened(path: str = ":memory:") -> AsyncIterator[Opened]:
    points = Passed()
    both = open_sqlite(path, Ports(clock=NeverQuiet(), points=points))
    yield Opened(both.store, both.log, points)
    await both.close()
