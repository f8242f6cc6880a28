"""The write-ahead log is taken into the file when nobody writes, and when it has grown long, never beside a commit."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from tidings.backends.sqlite import wal
from tidings.backends.sqlite.database import Database

PAGE = b"x" * 4_000


async def write(database: Database, pages: int) -> None:
    def job(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS filler (page BLOB)")
        connection.executemany("INSERT INTO filler VALUES (?)", [(PAGE,)] * pages)

    await database.job(job)


def size(path: Path) -> int:
    return path.stat().st_size // 4_096


async def grown(path: Path, pages: int) -> None:
    """Come back when the file has so many pages; the time is a bound for a test that fails."""
    async with asyncio.timeout(20):
        while size(path) < pages:
            await asyncio.sleep(0.01)


async def test_it_is_taken_in_when_nobody_writes_for_a_while(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.db"))
    before = size(tmp_path / "x.db")
    await write(database, wal.WORTH_PAGES * 3)
    assert size(tmp_path / "x.db") == before
    await grown(tmp_path / "x.db", wal.WORTH_PAGES * 3)
    await database.close()


async def test_it_is_taken_in_at_once_when_it_is_long(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.db"))
    await write(database, wal.LONG_PAGES * 3)
    assert size(tmp_path / "x.db") >= wal.LONG_PAGES * 3
    await database.close()


async def test_a_short_one_is_left_alone(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.db"))
    await write(database, 10)
    assert database._quiet is not None
    assert database._quiet._timer is None
    await database.close()


async def test_no_commit_can_meet_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(str(tmp_path / "x.db"))
    other = sqlite3.connect(tmp_path / "x.db", timeout=0, isolation_level=None, check_same_thread=False)
    refused: list[str] = []
    taken_in = wal.Wal._taken_in

    def meet(self: wal.Wal, frames: int) -> None:
        with pytest.raises(sqlite3.OperationalError) as caught:
            other.execute("BEGIN IMMEDIATE")
        refused.append(str(caught.value))
        taken_in(self, frames)

    monkeypatch.setattr(wal.Wal, "_taken_in", meet)
    await write(database, wal.LONG_PAGES * 3)
    assert refused == ["database is locked"]
    other.close()
    await database.close()


async def test_a_file_that_is_closed_while_it_would_be_taken_in_is_closed_all_the_same(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.db"))
    await write(database, wal.WORTH_PAGES * 3)
    await database.close()
    assert database._quiet is not None
    assert database._quiet._timer is None or database._quiet._timer.cancelled()


async def test_it_does_not_grow_long_by_few_large_rows(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.db"))
    await database.job(lambda connection: connection.execute("CREATE TABLE filler (page BLOB)"))
    for _ in range(200):
        await database.job(lambda connection: connection.execute("INSERT INTO filler VALUES (zeroblob(1000000))"))
    assert size(tmp_path / "x.db-wal") < wal.LONG_PAGES * 1.2
    await database.close()
