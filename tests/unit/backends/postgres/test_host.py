"""What `tidings doctor` is told about the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from tests.postgres.binaries import NEWEST, OLDEST
from tests.postgres.held import held
from tidings.backends.postgres import host as room
from tidings.backends.postgres.database import Database, open_database
from tidings.backends.postgres.host import PostgresHost, State, judged
from tidings.backends.postgres.settling import Settling
from tidings.conformance.samples import event
from tidings.ports import SystemClock
from tidings.store.host import Check

HOLDER: dict[str, Any] = {
    "holder_pid": 4712,
    "holder_application": "tidings",
    "holder_since": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
}

GOOD = State(
    now=0,
    connections=10,
    most=97,
    oldest_pid=4711,
    oldest_seconds=1.0,
    prepared=None,
    prepared_seconds=0.0,
    holder_pid=None,
    holder_application=None,
    holder_since=None,
    holder_seconds=0.0,
    frozen_age=50_000_000,
)


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = await open_database(postgres_url, connections=2)
    yield database
    await database.close()


async def problems(database: Database) -> dict[str, str]:
    found = await PostgresHost(database, SystemClock()).look()
    return {check.name: check.problem for check in found if check.problem is not None}


@pytest.mark.parametrize(
    ("wrong", "name", "said"),
    [
        ({"connections": 93}, "connections", "93 of 97 are taken"),
        ({"oldest_seconds": 7200.0}, "transactions", "process 4711 has had a transaction open for 2.0 h"),
        ({"prepared": "gone", "prepared_seconds": 61.0}, "transactions", "'gone' has waited for 61 s"),
        (
            {**HOLDER, "holder_seconds": 10.1},
            "transactions",
            "the session of process 4712 (tidings) has stood in the middle of an append since 2026-01-02 03:04:05 UTC",
        ),
        ({"frozen_age": 1_600_000_000}, "transactions", "see that autovacuum runs"),
        ({"now": 3_000_000}, "server clock", "3.0 s behind the server's"),
        ({"now": -3_000_000}, "server clock", "3.0 s ahead of the server's"),
    ],
    ids=str,
)
def test_what_will_stop_the_system_is_told_before_it_does(wrong: dict[str, Any], name: str, said: str) -> None:
    for good in (GOOD, replace(GOOD, **HOLDER, holder_seconds=9.9)):
        assert [check.problem for check in judged(good, 0)] == [None, None, None]
    [told] = [check for check in judged(replace(GOOD, **wrong), 0) if check.problem is not None]
    assert told.name == name
    assert said in str(told.problem)


@pytest.mark.parametrize("postgres", [OLDEST, NEWEST], indirect=True, scope="session")
async def test_all_is_well_with_a_good_server_but_that_it_does_not_flush(database: Database) -> None:
    told = await problems(database)
    assert list(told) == ["server"]
    assert "fsync is off" in told["server"]
    assert await PostgresHost(database, SystemClock()).problem() is None


async def test_a_prepared_transaction_that_was_forgotten_is_named(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PREPARED_SECONDS", 0)
    async with database.connection() as connection:
        await connection.execute("BEGIN; CREATE TABLE x (n int); PREPARE TRANSACTION 'forgotten'")
    try:
        assert "'forgotten'" in (await problems(database))["transactions"]
    finally:
        async with database.connection() as connection:
            await connection.execute("ROLLBACK PREPARED 'forgotten'")
    assert "transactions" not in await problems(database)


async def test_a_transaction_that_stays_open_is_named_with_its_process(
    database: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "OPEN_SECONDS", 0)
    other = await asyncpg.connect(postgres_url)
    async with other.transaction():
        pid = await other.fetchval("SELECT pg_backend_pid()")
        assert f"process {pid} has had" in (await problems(database))["transactions"]
    await other.close()


async def test_who_stands_in_the_middle_of_an_append_is_named(
    database: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "IDLE_SECONDS", 0)
    async with held(postgres_url) as writer:
        await writer.run("BEGIN")
        assert "transactions" not in await problems(database)
        await writer.append(event("1"))
        told = (await problems(database))["transactions"]
        pid = writer.connection.get_server_pid()
        assert f"process {pid} (" in told
        assert f"pg_terminate_backend({pid})" in told
        await writer.run("COMMIT")
    assert "transactions" not in await problems(database)


async def test_a_server_that_cannot_be_asked_is_a_problem_and_no_error(database: Database) -> None:
    await database.close()
    [told] = await PostgresHost(database, SystemClock()).look()
    assert told == Check("server", "it cannot be asked (pool is closed)")


async def test_readiness_is_told_of_commits_that_are_flushed_no_more_since_the_start(database: Database) -> None:
    host, settling = PostgresHost(database, SystemClock()), Settling(database)
    async with database.connection() as connection:
        await connection.execute("SET synchronous_commit = off")
    await settling.look()
    assert "synchronous_commit is off" in str(await host.problem())
    async with database.connection() as connection:
        await connection.execute("SET synchronous_commit = on")
    await settling.look()
    assert await host.problem() is None
    await settling.close()
