"""What measures and traces log and store passes their suites itself: whoever is measured does what it did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.sqlite_harness import SqliteLogHarness
from tests.conformance.sqlite_store_harness import SqliteStoreHarness
from tidings.conformance.log_suite import SharedLogSuite
from tidings.conformance.store_suite import SharedStoreSuite
from tidings.log.driver import LogDriver
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.telemetry.log import MeteredLog
from tidings.telemetry.telemetry import Telemetry

TYPES = {"test.happened"}


class TracedLogHarness(SqliteLogHarness):
    async def open(self) -> LogDriver:
        measured = Telemetry(TYPES, Ports(), otel=True).log(await super().open()).driver
        assert isinstance(measured, MeteredLog)
        return measured


class TestATracedLog(SharedLogSuite):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[TracedLogHarness]:
        harness = TracedLogHarness(str(tmp_path / "log.db"))
        yield harness
        await harness.close()

    @pytest.fixture
    async def log(self, driver: LogDriver) -> Log:
        return Telemetry(TYPES, Ports(), otel=True).log(driver)


class TracedStoreHarness(SqliteStoreHarness):
    async def open(self) -> StoreDriver:
        return Telemetry(TYPES, self.ports, otel=True).store(await super().open())


class TestATracedStore(SharedStoreSuite):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[TracedStoreHarness]:
        harness = TracedStoreHarness(str(tmp_path / "store.db"))
        yield harness
        await harness.close()
