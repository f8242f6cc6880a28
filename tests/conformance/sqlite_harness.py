"""How the suites open, share and break a log on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.scale import SCALE
from tidings.backends.sqlite import Sqlite, open_sqlite
from tidings.backends.sqlite.connecting import Synchronous
from tidings.log.driver import LogDriver
from tidings.ports import Ports

UNBOUNDED = 1 << 30


class SqliteLogHarness:
    """A database at `path`, or in memory. It breaks as disks do: by being full."""

    scale = SCALE

    def __init__(self, path: str, *, synchronous: Synchronous = "full") -> None:
        self._path = path
        self._synchronous = synchronous
        self._opened: list[Sqlite] = []

    async def open(self) -> LogDriver:
        opened = open_sqlite(self._path, Ports(), synchronous=self._synchronous)
        self._opened.append(opened)
        return opened.log

    async def reopen(self) -> LogDriver:
        return await self.open()

    @asynccontextmanager
    async def breakage(self) -> AsyncIterator[None]:
        await self._limit_pages(1)  # SQLite takes it as the number of pages there are
        yield
        await self._limit_pages(UNBOUNDED)

    async def _limit_pages(self, count: int) -> None:
        for opened in self._opened:
            await opened.log._database.hop(lambda connection: connection.execute(f"PRAGMA max_page_count = {count}"))

    async def close(self) -> None:
        for opened in self._opened:
            await opened.close()
