"""What a database gives a task: connections, transactions, and the knowledge of standing inside one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.postgres.binaries import NEWEST, OLDEST
from tests.postgres.proxy import Door
from tidings.backends.postgres import transaction as room
from tidings.backends.postgres.connection import STATEMENT_SECONDS
from tidings.backends.postgres.database import Database, open_database
from tidings.backends.postgres.failures import translated
from tidings.errors import LogUnavailableError, StoreUnavailableError

pytestmark = pytest.mark.parametrize("postgres", [OLDEST, NEWEST], indirect=True, scope="session")


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = await open_database(postgres_url, connections=3)
    yield database
    await database.close()


@pytest.fixture
async def numbers(database: Database) -> Database:
    async with database.connection() as connection:
        await connection.execute("CREATE TABLE number (n int PRIMARY KEY)")
    return database


async def test_a_user_called_as_the_schema_finds_another_one_first(numbers: Database) -> None:
    async with numbers.connection() as connection:
        user = await connection.fetchrow(
            "SELECT current_user::text, current_schema()::text, to_regclass('number')::text"
        )
    assert user is not None
    assert tuple(user) == ("tidings", "public", "number")


async def kept(database: Database) -> list[int]:
    async with database.connection() as connection:
        return [row["n"] for row in await connection.fetch("SELECT n FROM number ORDER BY n")]


async def test_leaving_a_transaction_commits_and_an_exception_rolls_back(numbers: Database) -> None:
    async with numbers.transaction() as connection:
        await connection.execute("INSERT INTO number VALUES (1)")
    with pytest.raises(ZeroDivisionError):
        async with numbers.transaction() as connection:
            await connection.execute("INSERT INTO number VALUES (2)")
            raise ZeroDivisionError
    assert await kept(numbers) == [1]


async def test_a_cancelled_transaction_is_rolled_back_and_its_connection_goes_on(numbers: Database) -> None:
    sleeping = asyncio.Event()

    async def slow() -> None:
        async with numbers.transaction() as connection:
            await connection.execute("INSERT INTO number VALUES (1)")
            sleeping.set()
            await connection.execute("SELECT pg_sleep(60)")

    for _ in range(5):
        sleeping.clear()
        task = asyncio.create_task(slow())
        await sleeping.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await kept(numbers) == []


@pytest.mark.parametrize("turns", range(12))
async def test_what_is_written_after_a_transaction_was_cancelled_while_it_began_stays_written(
    numbers: Database, turns: int
) -> None:
    async def begin() -> None:
        async with numbers.transaction():
            pass

    task = asyncio.create_task(begin())
    for _ in range(turns):  # of the event loop, after some of which the server has begun it and nobody knows yet
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with numbers.connection() as connection:
        await connection.execute("INSERT INTO number VALUES (1)")
    assert await kept(numbers) == [1]


async def test_a_cancelled_statement_that_goes_on_holds_nobody_up(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ROLLBACK_SECONDS", 0.05)
    async with Door(postgres_url) as door:
        database = await open_database(door.url, connections=1)
        sleeping = asyncio.Event()

        async def slow() -> None:
            async with database.transaction() as connection:
                await connection.execute("CREATE TABLE number (n int)")
                sleeping.set()
                await connection.execute("SELECT pg_sleep(60)")

        task = asyncio.create_task(slow())
        await sleeping.wait()
        async with door.shut_to_newcomers():  # so that the request to cancel, which is one, does not arrive
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                async with asyncio.timeout(STATEMENT_SECONDS / 2):  # not when the statement's own time is over
                    await task
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT to_regclass('number')") is None
        await database.close()


async def test_a_task_that_outlives_the_transaction_it_was_begun_in_stands_in_none(database: Database) -> None:
    over, seen = asyncio.Event(), []

    async def stray() -> None:
        seen.append(database.inside_unit)
        await over.wait()
        seen.append(database.inside_unit)

    async with database.transaction():
        task = asyncio.create_task(stray())
        while not seen:
            await asyncio.sleep(0)
        assert database.inside_unit
    over.set()
    await task
    assert seen == [True, False]
    assert not database.inside_unit


async def test_inside_a_unit_a_connection_is_the_units_own_and_sees_what_it_wrote(numbers: Database) -> None:
    async with numbers.transaction() as connection:
        await connection.execute("INSERT INTO number VALUES (1)")
        assert await kept(numbers) == [1]
        assert numbers.unit_connection is connection
    assert numbers.unit_connection is None


async def test_as_many_units_as_there_are_connections_may_all_read_besides(numbers: Database) -> None:
    together = asyncio.Barrier(3)

    async def unit() -> list[int]:
        async with numbers.transaction():
            await together.wait()
            return await kept(numbers)

    assert await asyncio.wait_for(asyncio.gather(unit(), unit(), unit()), 20) == [[], [], []]


async def test_the_tasks_of_one_unit_may_speak_at_once(numbers: Database) -> None:
    async with numbers.transaction() as connection:
        await asyncio.gather(*(connection.execute("INSERT INTO number VALUES ($1)", n) for n in range(20)))
        found = await asyncio.gather(*(connection.fetchval("SELECT count(*) FROM number") for _ in range(5)))
    assert found == [20] * 5


async def test_a_transaction_is_read_committed_whatever_the_database_says(postgres_url: str) -> None:
    first = await open_database(postgres_url, connections=1)
    async with first.connection() as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    await first.close()
    database = await open_database(postgres_url, connections=1)
    show = "SHOW transaction_isolation"
    async with database.connection() as connection:
        assert await connection.fetchval(show) == "read committed"
    async with database.transaction() as connection:
        assert await connection.fetchval(show) == "read committed"
    await database.close()


async def test_a_statement_that_takes_too_long_is_cancelled_and_may_be_repeated(numbers: Database) -> None:
    with pytest.raises(StoreUnavailableError, match="repeat the call"), translated(StoreUnavailableError):
        async with numbers.connection() as connection:
            await connection.execute("SELECT pg_sleep(60)", timeout=0.05)
    assert await kept(numbers) == []


async def test_a_cut_connection_is_a_passing_failure_and_the_next_call_has_another(numbers: Database) -> None:
    async with numbers.transaction() as other:
        with pytest.raises(LogUnavailableError, match="repeat the call"), translated(LogUnavailableError):
            async with numbers._pool.lent() as connection:
                pid = connection.get_server_pid()
                await asyncio.gather(
                    connection.execute("SELECT pg_sleep(60)"), other.execute("SELECT pg_terminate_backend($1)", pid)
                )
    assert await kept(numbers) == []


async def test_who_is_not_let_in_any_more_is_told_that_it_may_pass(postgres_url: str, database: Database) -> None:
    parts = urlsplit(postgres_url)
    name = parts.path[1:]
    owner = await asyncpg.connect(parts._replace(path="/postgres").geturl())
    await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await owner.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    with pytest.raises(StoreUnavailableError, match="cannot be reached now"):
        await open_database(postgres_url)
    said = "not currently accepting connections"
    with pytest.raises(LogUnavailableError, match=said) as told, translated(LogUnavailableError):
        async with database.transaction():
            pass
    assert name not in str(told.value), "callers are told this, and names in the URL are none of theirs"
    await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await owner.close()
    async with database.transaction() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_what_no_repeating_mends_stays_what_it_is(numbers: Database) -> None:
    with pytest.raises(asyncpg.UniqueViolationError), translated(LogUnavailableError):
        async with numbers.transaction() as connection:
            await connection.execute("INSERT INTO number VALUES (1), (1)")


async def test_a_closed_database_says_so_and_closing_twice_is_once(numbers: Database) -> None:
    await numbers.close()
    await numbers.close()
    with pytest.raises(StoreUnavailableError), translated(StoreUnavailableError):
        await kept(numbers)


async def test_a_connection_of_its_own_is_none_of_the_pool(numbers: Database) -> None:
    own = await numbers.own_connection()
    async with numbers.transaction(), numbers.transaction(), numbers.transaction():
        assert await asyncio.wait_for(own.fetchval("SELECT 1"), 20) == 1
    await own.close()


async def test_the_log_has_a_secret_and_an_incarnation_that_stay(postgres_url: str) -> None:
    first = await open_database(postgres_url, connections=1)
    second = await open_database(postgres_url, connections=1)
    assert len(first.secret) == 32
    assert len(first.incarnation) == 8
    assert (first.secret, first.incarnation) == (second.secret, second.incarnation)
    await first.close()
    await second.close()
