"""The steps by which the tables come about: whole or not at all, once, and never behind a program's back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import asyncpg
import pytest

from tidings.backends.postgres import migrations
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.database import open_database
from tidings.backends.postgres.migrating import migrate, schema_of
from tidings.backends.postgres.migrations import apply, look, read_steps
from tidings.backends.postgres.restoring import life_of
from tidings.errors import SchemaError
from tidings.ports import SystemClock
from tidings.store.schema import Schema, Step

STEPS = read_steps()
NEXT = Step(STEPS[-1].number + 1, 1, ("next.sql",), "CREATE TABLE tidings.next (n int);")


async def connected(url: str) -> Connection:
    opened: Connection = await asyncpg.connect(url, connection_class=Connection)
    return opened


def test_the_steps_are_numbered_without_a_gap_and_each_says_who_may_stay() -> None:
    assert [step.number for step in STEPS] == list(range(1, len(STEPS) + 1))
    assert all(1 <= step.oldest <= step.number for step in STEPS)
    assert STEPS[0].files[0] == "0001_head.sql"


async def test_an_empty_database_gets_its_tables_at_the_first_start(bare_postgres_url: str) -> None:
    with pytest.raises(SchemaError, match="run `tidings migrate apply`"):
        await open_database(bare_postgres_url, create=False)
    await (await open_database(bare_postgres_url)).close()
    await (await open_database(bare_postgres_url, create=False)).close()
    connection = await connected(bare_postgres_url)
    assert await look(connection, STEPS) == Schema(STEPS[-1].number, max(step.oldest for step in STEPS), STEPS)
    assert await connection.fetchval("SELECT made_by FROM tidings.schema_step WHERE number = 1")
    await connection.close()


async def test_many_processes_that_start_at_once_make_the_tables_once(bare_postgres_url: str) -> None:
    opened = await asyncio.gather(*(open_database(bare_postgres_url, connections=1) for _ in range(8)))
    assert len({database.secret for database in opened}) == 1
    for database in opened:
        await database.close()


async def test_a_step_may_take_longer_than_the_user_allows_statements(bare_postgres_url: str) -> None:
    connection = await connected(bare_postgres_url)
    limits = ("statement_timeout", "lock_timeout", "transaction_timeout")
    known = [name for name in limits if await connection.fetchval("SELECT current_setting($1, true)", name)]
    for name in known:
        await connection.execute(f"SET {name} = '1h'")
    found = " ".join(f"INSERT INTO tidings.found VALUES ('{name}', current_setting('{name}'));" for name in known)
    asking = f"CREATE TABLE tidings.found (name text, limited text); {found}"
    await apply(connection, [*STEPS, replace(NEXT, statements=asking)])
    limited = dict(await connection.fetch("SELECT name, limited FROM tidings.found"))
    assert limited == dict.fromkeys(known, "0") | {"lock_timeout": "5s"}
    assert await connection.fetchval("SHOW statement_timeout") == "1h"
    await connection.close()


async def test_a_step_that_fails_leaves_nothing_behind(bare_postgres_url: str) -> None:
    connection = await connected(bare_postgres_url)
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await apply(connection, [*STEPS, replace(NEXT, statements=f"{NEXT.statements} SELECT FROM FROM;")])
    assert (await look(connection, STEPS)).found == STEPS[-1].number
    assert await connection.fetchval("SELECT to_regclass('tidings.next')") is None
    assert await apply(connection, [*STEPS, NEXT]) == [NEXT]
    assert await apply(connection, [*STEPS, NEXT]) == []
    await connection.close()


@pytest.mark.parametrize("table", ["schema_step", "head"])
async def test_tables_that_were_restored_without_their_content_are_told_as_that(postgres_url: str, table: str) -> None:
    connection = await connected(postgres_url)
    await connection.execute(f"TRUNCATE tidings.{table}")
    await connection.close()
    ways: list[Callable[[], Awaitable[object]]] = [
        partial(schema_of, postgres_url),
        partial(migrate, postgres_url, SystemClock(), tell=print),
        partial(open_database, postgres_url),
        partial(open_database, postgres_url, create=False),
        partial(life_of, postgres_url, SystemClock()),
    ]
    for way in ways:
        with pytest.raises(SchemaError, match=r"without .*content.*: restore the data, too"):
            await way()


async def test_an_older_schema_is_left_as_it_is_until_somebody_says_so(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "read_steps", lambda: [*STEPS, NEXT])
    with pytest.raises(SchemaError, match="run `tidings migrate apply`"):
        await open_database(postgres_url)


async def test_the_release_before_goes_on_and_starts_again_beside_a_step_that_spares_it(postgres_url: str) -> None:
    running = await open_database(postgres_url, connections=1)
    connection = await connected(postgres_url)
    await apply(connection, [*STEPS, NEXT])
    async with running.connection() as used:
        assert await used.fetchval("SELECT count(*) FROM tidings.head") == 1
    await (await open_database(postgres_url, connections=1)).close()
    await apply(
        connection, [*STEPS, NEXT, replace(NEXT, number=NEXT.number + 1, oldest=NEXT.number, statements="SELECT 1")]
    )
    with pytest.raises(SchemaError, match="made by a newer release"):
        await open_database(postgres_url, connections=1)
    await running.close()
    await connection.close()


async def test_a_step_does_not_wait_for_a_table_while_all_wait_behind_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", "0.05")
    database = await open_database(postgres_url)
    connection = await connected(postgres_url)
    async with database.transaction() as user:
        await user.execute("SELECT FROM tidings.head")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await apply(connection, [*STEPS, replace(NEXT, statements="ALTER TABLE tidings.head ADD more int;")])
    await connection.close()
    await database.close()
