"""An event that its caller keeps in its own task, while the server is made to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from tests.conformance.postgres_harness import open_log
from tests.postgres.held import Held, held
from tidings.backends.postgres.drafts import STRIPES
from tidings.conformance.samples import event, ids_in
from tidings.errors import LogUnavailableError
from tidings.log.log import Log
from tidings.ports import Ports

_ALL = f"SELECT count(pg_advisory_xact_lock(1953063938, n)) FROM generate_series(0, {STRIPES - 1}) AS n"
_WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory')"


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[Log]:
    log = Log(await open_log(postgres_url), Ports())
    await log.append([event("first")])
    yield log
    await log.close()


@pytest.fixture
async def others(postgres_url: str) -> AsyncIterator[Held]:
    """Another transaction, which holds every subject."""
    async with held(postgres_url) as connection:
        await connection.run("BEGIN")
        await connection.run(_ALL)
        yield connection


async def until_it_waits(connection: asyncpg.Connection) -> None:
    async with asyncio.timeout(60):
        while not await connection.fetchval(_WAITS):
            await asyncio.sleep(0.01)


async def test_the_event_of_a_caller_that_is_cancelled_meanwhile_is_kept_before_the_next_of_its_subject(
    log: Log, others: Held
) -> None:
    left = asyncio.create_task(log.append([event("left")]))
    await until_it_waits(others.connection)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    after = asyncio.create_task(log.append([event("after")]))
    await asyncio.sleep(0)
    await others.run("ROLLBACK")
    assert (await after).outcome == "appended"
    assert await ids_in(log.driver) == ["first", "left", "after"]


async def test_an_event_whose_connection_is_lost_meanwhile_is_kept_once(log: Log, others: Held) -> None:
    append = asyncio.create_task(log.append([event("cut")]))
    await until_it_waits(others.connection)
    await others.connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
    await others.run("ROLLBACK")
    receipt = await append
    assert receipt.outcome == "appended"
    assert await ids_in(log.driver) == ["first", "cut"]
    assert (await log.append([event("next")])).positions > receipt.positions


async def test_an_event_that_is_not_kept_in_time_is_told_so_and_kept_once_when_it_is_repeated(
    log: Log, others: Held
) -> None:
    with pytest.raises(LogUnavailableError):
        await log.append([event("late")], timeout=timedelta(milliseconds=10))
    await others.run("ROLLBACK")
    await log.append([event("late")])
    assert (await log.append([event("next")])).outcome == "appended"
    assert await ids_in(log.driver) == ["first", "late", "next"]
