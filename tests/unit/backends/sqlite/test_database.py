"""What a database asks of the machine, and who stands inside one of its transactions."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from tidings.backends.sqlite import database as module
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
