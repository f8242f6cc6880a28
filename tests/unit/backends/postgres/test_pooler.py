"""Behind a pooler that hands each transaction to another server process, all is as it is without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import asyncpg
import pytest

from tests.postgres.pooler import pooled, provide
from tidings.backends.postgres import migrating
from tidings.backends.postgres.connection import IDLE_SECONDS
from tidings.backends.postgres.database import Database, open_database
from tidings.errors import SettingError
from tidings.ports import SystemClock


@pytest.fixture
async def database(pooled_postgres_url: str) -> AsyncIterator[Database]:
    database = await open_database(pooled_postgres_url, connections=6)
    yield database
    await database.close()


async def test_a_pooler_is_noticed_and_nobody_listens_through_it(database: Database, postgres_url: str) -> None:
    direct = await open_database(postgres_url, connections=1)
    assert (database.server.is_pooled, database.listens) == (True, False)
    assert (direct.server.is_pooled, direct.listens) == (False, True)
    assert (database.secret, database.incarnation) == (direct.secret, direct.incarnation)
    await direct.close()


async def test_statements_with_parameters_meet_other_server_processes_and_are_answered(database: Database) -> None:
    async def ask(n: int) -> tuple[int, int]:
        async with database.connection() as connection:
            found = await connection.fetchrow("SELECT $1::int AS n, pg_backend_pid() AS pid", n)
            again = await connection.fetchval("SELECT $1::text", str(n))
            assert again == str(n)
            return found["n"], found["pid"]

    found = await asyncio.gather(*(ask(n) for n in range(200)))
    assert [n for n, _ in found] == list(range(200))
    assert len({pid for _, pid in found}) > 1, "one process answered all, so nothing was tried"


async def test_a_transaction_stays_with_its_process_and_what_it_sets_ends_with_it(database: Database) -> None:
    async def unit(n: int) -> None:
        async with database.transaction() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await connection.execute("SELECT set_config('tidings.test', $1, true)", str(n))
            await asyncio.sleep(0)
            assert await connection.fetchval("SELECT current_setting('tidings.test')") == str(n)
            assert await connection.fetchval("SELECT pg_backend_pid()") == pid
            assert await connection.fetchval("SHOW idle_in_transaction_session_timeout") == f"{IDLE_SECONDS}s"
            async with connection.transaction():
                await connection.executemany("SELECT $1::int", [(1,), (2,)])

    await asyncio.gather(*(unit(n) for n in range(50)))
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT current_setting('tidings.test', true)") in (None, "")


async def test_a_failed_statement_takes_nothing_with_it_but_itself(database: Database) -> None:
    for _ in range(8):
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with database.connection() as connection:
                await connection.fetchval("SELECT 1 / $1::int", 0)
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT 1 / $1::int", 1) == 1


async def test_the_tables_of_an_empty_database_are_made_through_it(postgres_url: str, pooled_postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("DROP SCHEMA tidings CASCADE")
    await connection.close()
    opened = await asyncio.gather(*(open_database(pooled_postgres_url, connections=1) for _ in range(4)))
    assert len({database.secret for database in opened}) == 1
    for database in opened:
        await database.close()


async def test_a_pooler_that_takes_no_transactions_is_refused_at_the_start(postgres_url: str) -> None:
    with pooled(postgres_url, provide(), "statement") as url:
        migrate = partial(migrating.migrate, clock=SystemClock(), tell=print)
        for refused in (open_database, migrating.schema_of, migrate):
            with pytest.raises(SettingError, match="set pool_mode = transaction"):
                await refused(url)


async def test_a_pooler_that_leaves_sessions_alone_is_as_good(postgres_url: str) -> None:
    with pooled(postgres_url, provide(), "session") as url:
        database = await open_database(url, connections=1)
        async with database.transaction() as connection:
            assert await connection.fetchval("SELECT count(*) FROM tidings.head") == 1
        await database.close()
