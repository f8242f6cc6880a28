"""Log and store on PostgreSQL behind PgBouncer in transaction mode: what the suites ask holds there, too."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conformance.postgres_harness import PostgresLogHarness
from tests.conformance.postgres_store_harness import PostgresStoreHarness
from tests.postgres.proxy import Door
from tidings.conformance.log_suite import SharedLogSuite
from tidings.conformance.store_suite import SharedStoreSuite


class TestLogBehindAPooler(SharedLogSuite):
    @pytest.fixture
    async def harness(self, pooled_postgres_url: str) -> AsyncIterator[PostgresLogHarness]:
        async with Door(pooled_postgres_url) as door:
            harness = PostgresLogHarness(door)
            yield harness
            await harness.close()


class TestStoreBehindAPooler(SharedStoreSuite):
    @pytest.fixture
    async def harness(self, pooled_postgres_url: str) -> AsyncIterator[PostgresStoreHarness]:
        async with Door(pooled_postgres_url) as door:
            harness = PostgresStoreHarness(door)
            yield harness
            await harness.close()
