"""The log on SQLite: in memory, in a file, and under two processes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance import appending_process
from tests.conformance.sqlite_harness import SqliteLogHarness
from tidings.backends.sqlite import open_sqlite
from tidings.conformance.log_suite import LogSuite, SharedLogSuite
from tidings.conformance.samples import everything
from tidings.ports import Ports


class TestInMemory(LogSuite):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[SqliteLogHarness]:
        harness = SqliteLogHarness(":memory:")
        yield harness
        await harness.close()


class TestInAFile(SharedLogSuite):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[SqliteLogHarness]:
        harness = SqliteLogHarness(str(tmp_path / "log.db"))
        yield harness
        await harness.close()


class TestInAFileThatMayLosePower(SharedLogSuite):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[SqliteLogHarness]:
        harness = SqliteLogHarness(str(tmp_path / "log.db"), synchronous="normal")
        yield harness
        await harness.close()


async def start(path: Path) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, appending_process.__file__, str(path), stdin=-1, stdout=-1
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def test_two_processes_that_append_the_same_ids_at_once_keep_each_once(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    processes = [await start(path), await start(path)]
    answers = [json.loads(out) for out, _ in await asyncio.gather(*(each.communicate(b"go\n") for each in processes))]
    assert [process.returncode for process in processes] == [0, 0]
    opened = open_sqlite(str(path), Ports())
    entries = await everything(opened.log)
    await opened.close()
    kept = {entry.envelope.id: entry.position for entry in entries}
    assert len(entries) == len(kept) == appending_process.CALLERS * appending_process.EACH
    assert len(set(kept.values())) == len(kept)
    for id, position in kept.items():
        outcomes = [found[id][0] for found in answers]
        assert [found[id][1] for found in answers] == [position, position]
        assert sorted(outcomes) == ["appended", "duplicate"]
