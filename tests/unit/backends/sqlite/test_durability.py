"""What a commit outlives, as it is set on the connection that writes: read back from SQLite, not from our own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.backends.sqlite import Sqlite, open_sqlite
from tidings.backends.sqlite.connecting import Synchronous
from tidings.conformance.samples import event, keep
from tidings.ports import Ports
from tidings.settings import Settings

LEVELS = {"full": 2, "normal": 1}


async def level(opened: Sqlite) -> int:
    """Return SQLite's number for `synchronous` on the writer: 2 flushes the disk in each commit, 1 does not."""
    database = opened.store._database
    return await database.hop(lambda connection: int(connection.execute("PRAGMA synchronous").fetchone()[0]))


@pytest.mark.parametrize("synchronous", ["full", "normal"])
async def test_each_commit_is_flushed_to_the_disk_unless_the_setting_says_otherwise(
    tmp_path: Path, synchronous: Synchronous
) -> None:
    opened = open_sqlite(str(tmp_path / "log.db"), Ports(), synchronous=synchronous)
    assert await level(opened) == LEVELS[synchronous]
    await keep(opened.log, event("a"))
    await opened.store._database.job(lambda connection: None, lazily=True)
    assert await level(opened) == LEVELS[synchronous], "what need not outlive a power loss lowers it for itself only"
    assert opened.log.facts.append_survives == {"full": "power", "normal": "process"}[synchronous]
    await opened.close()


async def test_the_journal_is_written_ahead_and_checkpointed_by_nobody_but_us(tmp_path: Path) -> None:
    opened = open_sqlite(str(tmp_path / "log.db"), Ports())
    pragmas = ("journal_mode", "wal_autocheckpoint")
    found = [
        await opened.store._database.hop(lambda to, name=name: to.execute(f"PRAGMA {name}").fetchone()[0])  # type: ignore[misc]
        for name in pragmas
    ]
    assert found == ["wal", 0]
    await opened.close()


def test_durable_is_what_nobody_has_to_ask_for() -> None:
    assert Settings().sqlite_synchronous == "full"
