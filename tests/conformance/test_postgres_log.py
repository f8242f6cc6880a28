"""The log on PostgreSQL, on the oldest and on the newest release."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conformance.postgres_harness import PostgresLogHarness
from tests.postgres.binaries import NEWEST, OLDEST
from tests.postgres.proxy import Door
from tidings.conformance.log_suite import SharedLogSuite

pytestmark = pytest.mark.parametrize("postgres", [OLDEST, NEWEST], indirect=True, scope="session")


class TestOnPostgres(SharedLogSuite):
    @pytest.fixture
    async def harness(self, postgres_url: str) -> AsyncIterator[PostgresLogHarness]:
        async with Door(postgres_url) as door:
            harness = PostgresLogHarness(door)
            yield harness
            await harness.close()
