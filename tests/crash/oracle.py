"""What must hold of a file after its process was killed."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from tidings.backends.sqlite import Sqlite, open_sqlite
from tidings.conformance.samples import everything
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


async def positions_in(path: Path) -> dict[str, int]:
    """Return the id of every entry with its position: each once, in order."""
    async with reopened(path) as opened:
        entries = await everything(opened.log)
        head = await opened.log.head()
    found = {entry.envelope.id: entry.position for entry in entries}
    assert len(found) == len(entries), "an id stands in the log twice"
    assert list(found.values()) == sorted(set(found.values()))
    assert head.position >= max(found.values(), default=0)
    return found


def acknowledged(lines: Iterable[str]) -> dict[str, int]:
    """Return what a child said to be kept, with positions."""
    return {id: int(position) for id, position in (line.split() for line in lines)}
