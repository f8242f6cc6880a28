"""What readiness and `tidings doctor` are told about the file and its disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.backends.sqlite import host as room
from tidings.backends.sqlite.host import SqliteHost
from tidings.store.host import Check


async def test_a_database_that_was_removed_or_cannot_be_written_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tidings.db"
    file.touch()
    host = SqliteHost(str(file))
    assert await host.problem() is None
    with monkeypatch.context() as patched:
        patched.setattr(room.os, "access", lambda path, _: str(path).endswith(".db"))
        assert "must be writable" in str(await host.problem())
    file.rename(tmp_path / "away.db")
    assert "is not there any more" in str(await host.problem())


async def test_a_disk_that_is_nearly_full_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = SqliteHost(f"{tmp_path}/orders.db")
    assert await host.look() == (Check("disk"),)
    monkeypatch.setattr(room, "DISK_BYTES", 1 << 60)
    [check] = await host.look()
    assert "make room before appends are refused" in str(check.problem)


async def test_a_database_in_memory_has_neither_file_nor_disk() -> None:
    host = SqliteHost(":memory:")
    assert await host.problem() is None
    assert await host.look() == (Check("disk"),)
