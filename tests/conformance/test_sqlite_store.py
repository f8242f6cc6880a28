"""The store on SQLite: in memory, in a file, and with its log elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.sqlite_store_harness import SqliteStagingHarness, SqliteStoreHarness
from tidings.conformance.store_suite import SharedStoreSuite, StagingStoreSuite, StoreSuite


class TestInMemory(StoreSuite):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[SqliteStoreHarness]:
        harness = SqliteStoreHarness(":memory:")
        yield harness
        await harness.close()


class TestInAFile(SharedStoreSuite):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[SqliteStoreHarness]:
        harness = SqliteStoreHarness(str(tmp_path / "store.db"))
        yield harness
        await harness.close()


class TestWithTheLogElsewhere(StagingStoreSuite):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[SqliteStagingHarness]:
        harness = SqliteStagingHarness(":memory:")
        yield harness
        await harness.close()
