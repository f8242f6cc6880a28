"""What a database asks of the machine, and who stands inside one of its transactions."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from tidings.backends.sqlite import connecting as module
from tidings.backends.sqlite.database import Database
from tidings.errors import SchemaError


async def test_a_task_that_outlives_the_transaction_it_was_begun_in_stands_in_none(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.db"))
    over, seen = asyncio.Event(), []

    async def stray() -> None:
        seen.append(database.inside_unit)
        await over.wait()
        seen.append(database.inside_unit)

    async with database.transaction():
        task = asyncio.create_task(stray())
        while not seen:
            await asyncio.sleep(0)
        assert database.inside_unit
    over.set()
    await task
    assert seen == [True, False]
    assert not database.inside_unit
    await database.close()


async def test_a_new_file_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE x (n)")
    opening = asyncio.create_task(asyncio.to_thread(Database, path))
    await asyncio.wait([opening], timeout=0.2)
    assert not opening.done()
    other.execute("COMMIT")
    other.close()
    await (await opening).close()


async def test_a_unit_begins_with_its_first_statement_and_what_it_did_not_commit_is_gone(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.db"))
    async with database.transaction() as unit:
        assert database.transactions == 0
        await unit.run(lambda connection: connection.execute("CREATE TABLE x (n)"))
        assert database.transactions == 1
    async with database.transaction():
        pass
    assert database.transactions == 1
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await database.read(lambda connection: connection.execute("SELECT n FROM x"))
    await database.close()


async def test_what_is_put_off_is_done_before_the_next_statement(tmp_path: Path) -> None:
    database, done = Database(str(tmp_path / "x.db")), []
    async with database.transaction() as unit:
        unit.put_off(lambda connection: done.append("first"))
        unit.put_off(lambda connection: done.append("second"))
        assert done == []
        await unit.catch_up()
        assert done == ["first", "second"]
        unit.put_off(lambda connection: done.append("undone"))
        unit.undo()
        unit.put_off(lambda connection: done.append("third"))
        await unit.run(lambda connection: done.append("fourth"))
    assert done == ["first", "second", "third", "fourth"]
    await database.close()


async def test_what_was_put_off_and_failed_keeps_all_that_follows_from_being_done_until_it_is_undone(
    tmp_path: Path,
) -> None:
    database, done = Database(str(tmp_path / "x.db")), []

    def fail(connection: sqlite3.Connection) -> None:
        raise ValueError("cannot be kept")

    async with database.transaction() as unit:
        unit.put_off(fail)
        for _ in range(2):
            with pytest.raises(ValueError, match="cannot be kept"):
                await unit.run(lambda connection: done.append("as if nothing were wrong"))
        unit.undo()
        await unit.run(lambda connection: done.append("after it was undone"))
    assert done == ["after it was undone"]
    await database.close()


async def test_a_first_query_inside_a_unit_begins_it_so_that_nobody_comes_between(tmp_path: Path) -> None:
    database, other = Database(str(tmp_path / "x.db")), Database(str(tmp_path / "x.db"))
    other._writer.execute("PRAGMA busy_timeout=0")
    async with database.transaction():
        await database.peek(lambda connection: connection.execute("SELECT pos FROM tidings_head").fetchone())
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await other.job(lambda connection: None)
    await other.job(lambda connection: None)
    await database.close()
    await other.close()


async def test_a_peek_sees_what_is_committed_and_lets_a_thread_wait_for_a_lock(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.db"))
    await database.job(lambda connection: connection.execute("CREATE TABLE x (n)"))
    await database.job(lambda connection: connection.execute("INSERT INTO x VALUES (1)"))
    assert await database.peek(_numbers) == [(1,)]
    await database.job(lambda connection: connection.execute("INSERT INTO x VALUES (2)"))
    assert await database.peek(_numbers) == [(1,), (2,)]
    assert database._peeking is not None
    threads: list[int] = []

    def noted(connection: sqlite3.Connection) -> list[tuple[int]]:
        threads.append(threading.get_ident())
        return _numbers(connection)

    blocked = database._peeking
    blocked.set_progress_handler(lambda: 1, 1)  # what SQLite says then is an error as any other
    assert await database.peek(noted) == [(1,), (2,)]
    blocked.set_progress_handler(None, 1)
    here = threading.get_ident()
    assert [thread == here for thread in threads] == [True, False]
    await database.close()


def _numbers(connection: sqlite3.Connection) -> list[tuple[int]]:
    return connection.execute("SELECT n FROM x ORDER BY n").fetchall()


def test_a_sqlite_that_is_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OLDEST_SQLITE", (99, 0))
    with pytest.raises(SchemaError, match=r"needs 99\.0 or later"):
        Database(str(tmp_path / "x.db"))


def test_a_place_where_no_write_ahead_log_can_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(sqlite3.Connection):
        def execute(self, statement: str, *held: object) -> sqlite3.Cursor:  # type: ignore[override]
            return super().execute(statement.replace("journal_mode=WAL", "journal_mode=DELETE"), *held)  # type: ignore[arg-type]

    connect = sqlite3.connect
    monkeypatch.setattr(module.sqlite3, "connect", lambda *a, **more: connect(*a, factory=Elsewhere, **more))
    with pytest.raises(SchemaError, match="on a local disk"):
        Database(str(tmp_path / "x.db"))
