"""One id that several transactions append at once: it is kept once, and each is told where."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.conformance.postgres_harness import open_log
from tests.postgres.held import Held, held
from tidings.backends.postgres.log import PostgresLog
from tidings.conformance.samples import event, ids_in, keep
from tidings.log.driver import Receipt

pytestmark = pytest.mark.parametrize("id", ["opaque", "01912d68-7830-7000-8000-000000000001"])
"""Ids in order of time are kept apart from all others."""
_WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid')"


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[PostgresLog]:
    opened = await open_log(postgres_url)
    yield opened
    await opened.close()


@pytest.fixture
async def first(postgres_url: str) -> AsyncIterator[Held]:
    async with held(postgres_url) as connection:
        yield connection


async def until_it_waits(connection: asyncpg.Connection) -> None:
    async with asyncio.timeout(60):
        while not await connection.fetchval(_WAITS):
            await asyncio.sleep(0.01)


async def test_who_comes_second_waits_for_the_first_and_is_told_where_that_one_stands(
    log: PostgresLog, first: Held, id: str
) -> None:
    await first.run("BEGIN")
    [position] = await first.append(event(id))
    second = asyncio.create_task(keep(log, event(id), event("other")))
    await until_it_waits(first.connection)
    await first.run("COMMIT")
    receipt = await second
    assert (receipt.outcome, receipt.positions[0], receipt.known) == ("appended", position, {0})
    assert await ids_in(log) == [id, "other"]


async def test_who_comes_second_keeps_it_if_the_first_is_rolled_back(log: PostgresLog, first: Held, id: str) -> None:
    await first.run("BEGIN")
    await first.append(event(id))
    second = asyncio.create_task(keep(log, event(id)))
    await until_it_waits(first.connection)
    await first.run("ROLLBACK")
    [position] = (await second).positions
    assert await keep(log, event(id)) == Receipt(outcome="duplicate", positions=(position,))
    assert await ids_in(log) == [id]
