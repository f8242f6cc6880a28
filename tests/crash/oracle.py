"""What must hold of a database after its process was killed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tests.crash import shop
from tests.crash.processes import LOOK, PATIENCE
from tidings.app.engines import BackEnd, open_back_end
from tidings.backends.sqlite import Sqlite, open_sqlite
from tidings.conformance.samples import everything
from tidings.log.driver import LogDriver
from tidings.ports import Ports


@asynccontextmanager
async def reopened(path: Path) -> AsyncIterator[Sqlite]:
    """Open a database as the next process would. SQLite itself must find nothing wrong with it."""
    opened = open_sqlite(str(path), Ports())
    try:
        yield opened
    finally:
        await opened.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


@asynccontextmanager
async def back_end(folder: Path) -> AsyncIterator[BackEnd]:
    """Open the database that children in this folder work on, as the next process would."""
    settings = shop.settings(folder)
    if settings.engine == "sqlite":
        async with reopened(shop.file(folder)) as file:
            yield file
        return
    await until_alone(settings.database_url)
    opened = await open_back_end(settings, Ports())
    try:
        yield opened
    finally:
        await opened.close()


async def until_alone(url: str) -> None:
    """Wait until PostgreSQL has done whatever was on its way when a process was killed."""
    connection = await asyncpg.connect(url)
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with asyncio.timeout(PATIENCE):
        while await connection.fetchval(f"{others} AND backend_type = 'client backend'"):
            await asyncio.sleep(LOOK)
    await connection.close()


async def positions_in(log: LogDriver) -> dict[str, int]:
    """Return the id of every entry with its position: each once, in order."""
    entries = await everything(log)
    head = await log.head()
    found = {entry.envelope.id: entry.position for entry in entries}
    assert len(found) == len(entries), "an id stands in the log twice"
    assert list(found.values()) == sorted(set(found.values()))
    assert head.position >= max(found.values(), default=0)
    return found


def acknowledged(lines: Iterable[str]) -> dict[str, int]:
    """Return what a child said to be kept, with positions."""
    return {id: int(position) for id, position in (line.split() for line in lines)}
