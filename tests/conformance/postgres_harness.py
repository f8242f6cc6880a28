"""How the suites open, share and break a log on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.postgres.proxy import Door
from tests.scale import SCALE
from tidings.backends.postgres.appending import PostgresAppender
from tidings.backends.postgres.database import open_database
from tidings.backends.postgres.log import PostgresLog
from tidings.log.driver import LogDriver, Receipt, Write
from tidings.ports import Ports


class NoStore:
    """Nothing is folded where there is a log alone."""

    async def inline_flush(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        raise NotImplementedError


async def open_log(url: str, ports: Ports | None = None) -> PostgresLog:
    """Open the log alone, as another process would."""
    ports = ports or Ports()
    database = await open_database(url)
    appender = PostgresAppender(database.secret, ports.clock)
    return PostgresLog(database, ports, appender=appender, inline=NoStore())


class PostgresLogHarness:
    """A database behind a door. It breaks by being shut: every connection is cut, and no new one gets through."""

    scale = SCALE

    def __init__(self, door: Door) -> None:
        self._door = door
        self._opened: list[PostgresLog] = []

    async def open(self) -> LogDriver:
        opened = await open_log(self._door.url)
        self._opened.append(opened)
        return opened

    async def reopen(self) -> LogDriver:
        return await self.open()

    @asynccontextmanager
    async def breakage(self) -> AsyncIterator[None]:
        async with self._door.shut():
            yield

    async def close(self) -> None:
        for opened in self._opened:
            await opened.close()
