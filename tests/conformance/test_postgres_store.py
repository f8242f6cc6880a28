"""The store on PostgreSQL: with its log, and with its log elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conformance.postgres_store_harness import PostgresStagingHarness, PostgresStoreHarness
from tests.postgres.binaries import NEWEST, OLDEST
from tests.postgres.proxy import Door
from tidings.conformance.store_suite import SharedStoreSuite, StagingStoreSuite


@pytest.mark.parametrize("postgres", [OLDEST, NEWEST], indirect=True, scope="session")
class TestWithItsLog(SharedStoreSuite):
    @pytest.fixture
    async def harness(self, postgres_url: str) -> AsyncIterator[PostgresStoreHarness]:
        async with Door(postgres_url) as door:
            harness = PostgresStoreHarness(door)
            yield harness
            await harness.close()


class TestWithTheLogElsewhere(StagingStoreSuite):
    @pytest.fixture
    async def harness(self, postgres_url: str) -> AsyncIterator[PostgresStagingHarness]:
        async with Door(postgres_url) as door:
            harness = PostgresStagingHarness(door)
            yield harness
            await harness.close()
