"""Tables of views in a schema of their service, and the view of SQL that people read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.unit.backends.postgres.room import Opened, opened
from tidings.conformance.store_samples import record, replace_rows, row, table
from tidings.errors import RefusedError, SchemaError
from tidings.store.rows import Column

FIRST = record(table())
WIDER = table(Column("key", "text"), Column("count", "integer"), Column("more", "text", True), version=2)
OTHER = table(Column("key", "text"), Column("other", "integer"), version=2)


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Opened]:
    async with opened(postgres_url) as room:
        yield room


async def test_processes_that_make_the_first_views_of_a_service_at_once_make_one_schema(
    at: Opened, postgres_url: str
) -> None:
    async with opened(postgres_url) as other:
        made = [record(table(view=f"view{n}")) for n in range(8)]
        await asyncio.gather(*(each.store.create_view(one) for one in made for each in (at, other)))
    assert len(await at.store.views()) == 8
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'suite'"
    assert await at.rows(tables) == [(8,)]


async def test_what_readers_were_granted_stays_when_a_view_only_gets_more_columns(at: Opened) -> None:
    await at.store.create_view(FIRST)
    await at.rows("GRANT SELECT ON suite_sample TO PUBLIC")
    await at.rows("CREATE VIEW built_on_it AS SELECT key FROM suite_sample")
    second = replace(record(WIDER, "building"), shape="shape 2")
    await at.store.create_view(second)
    await replace_rows(at.store, WIDER, row("a", 1, "x"))
    assert await at.store.swap_view(second, consumer="new", replaced_consumer=None)
    assert await at.rows("SELECT * FROM built_on_it") == [("a",)]
    assert await at.rows("SELECT relacl::text LIKE '%=r/%' FROM pg_class WHERE relname = 'suite_sample'") == [(True,)]


async def test_a_view_that_loses_columns_waits_for_what_is_built_on_it(at: Opened) -> None:
    await at.store.create_view(FIRST)
    await at.rows("CREATE VIEW built_on_it AS SELECT count FROM suite_sample")
    second = replace(record(OTHER, "building"), shape="shape 2")
    await at.store.create_view(second)
    with pytest.raises(RefusedError, match="built_on_it"):
        await at.store.swap_view(second, consumer="new", replaced_consumer=None)
    await at.rows("DROP VIEW built_on_it")
    assert await at.store.swap_view(second, consumer="new", replaced_consumer=None)
    assert await at.rows("SELECT * FROM suite_sample") == []


async def swapped(room: Opened) -> None:
    """Make the second table, and have it take the first one's place."""
    second = replace(record(WIDER, "building"), shape="shape 2")
    await room.store.create_view(second)
    await replace_rows(room.store, WIDER, row("a", 1, "x"))
    assert await room.store.swap_view(second, consumer="new", replaced_consumer=None)


async def test_a_view_moves_with_what_is_built_on_it_when_another_schema_comes_first(
    at: Opened, postgres_url: str
) -> None:
    await at.store.create_view(FIRST)
    await at.rows("CREATE SCHEMA app")
    await at.rows("GRANT SELECT ON suite_sample TO PUBLIC")
    await at.rows("CREATE VIEW built_on_it AS SELECT key FROM suite_sample")
    async with opened(f"{postgres_url}?search_path=app,public") as room:
        await swapped(room)
        await room.store.drop_view(FIRST)
    found = "SELECT schemaname::text FROM pg_views WHERE viewname = 'suite_sample'"
    assert await at.rows(found) == [("app",)]
    assert await at.rows("SELECT relacl::text LIKE '%=r/%' FROM pg_class WHERE relname = 'suite_sample'") == [(True,)]
    assert await at.rows("SELECT * FROM built_on_it") == [("a",)]
    assert await at.rows("SELECT version FROM tidings.view") == [(2,)]


async def test_a_view_moves_to_no_schema_where_somebody_else_has_its_name(at: Opened, postgres_url: str) -> None:
    await at.store.create_view(FIRST)
    await at.rows("CREATE SCHEMA app")
    await at.rows("CREATE VIEW app.suite_sample AS SELECT 1 AS mine")
    async with opened(f"{postgres_url}?search_path=app,public") as room:
        with pytest.raises(RefusedError, match="suite_sample is there already, made by somebody else"):
            await swapped(room)
    assert await at.rows("SELECT * FROM app.suite_sample") == [(1,)]


async def test_a_replaced_table_that_something_is_built_on_stays_and_keeps_no_other_from_being_built(
    at: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    await at.store.create_view(FIRST)
    await at.rows("CREATE VIEW built_on_it AS SELECT key FROM suite.sample__v1")
    await swapped(at)
    await at.store.drop_view(FIRST)
    [warning] = [each.getMessage() for each in caplog.records]
    assert warning == (
        "suite_sample__v1 is read no more, and is not removed, since something is built on it: view built_on_it "
        "depends on table suite.sample__v1; drop that, and build it on suite_sample: the next rebuild removes the table"
    )
    await at.store.create_view(replace(record(table(version=3), "building"), shape="shape 3"))
    await at.rows("DROP VIEW built_on_it")
    await at.store.drop_view(FIRST)
    assert await at.rows("SELECT version FROM tidings.view ORDER BY 1") == [(2,), (3,)]


async def test_a_table_that_was_given_up_and_stays_is_fed_no_more(at: Opened) -> None:
    await at.store.create_view(FIRST)
    begun = record(WIDER, "building", mode="inline", shape="shape 2", types=("told",))
    await at.store.create_view(begun)
    await at.rows("CREATE VIEW built_on_it AS SELECT key FROM suite.sample__v2")
    await at.store.drop_view(begun)
    assert await at.rows("SELECT version, state FROM tidings.view ORDER BY 1") == [(1, "current"), (2, "replaced")]
    assert await at.rows("SELECT * FROM tidings.inline") == []


@asynccontextmanager
async def somebody(url: str) -> AsyncIterator[tuple[asyncpg.Connection[asyncpg.Record], str, str]]:
    """Make a user who owns the schema tidings, and nothing else; give the owner's connection, its name and its URL."""
    parts = urlsplit(url)
    name = f"{parts.path[1:]}_role"
    owner = await asyncpg.connect(url)
    await owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 's3cret'; CREATE SCHEMA tidings AUTHORIZATION {name}")
    await owner.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        yield owner, name, parts._replace(netloc=f"{name}:s3cret@{parts.hostname}:{parts.port}").geturl()
    finally:
        await owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
        await owner.close()


async def refused(url: str) -> str:
    async with opened(url) as room:
        with pytest.raises(SchemaError) as told:
            await room.store.create_view(FIRST)
    return str(told.value)


async def test_who_may_not_make_what_a_view_needs_is_told_what_is_missing(bare_postgres_url: str) -> None:
    async with somebody(bare_postgres_url) as (owner, name, url):
        assert "permission denied for database" in await refused(url)
        await owner.execute(f"GRANT CREATE ON DATABASE {urlsplit(url).path[1:]} TO {name}")
        assert "permission denied for schema public" in await refused(url)
        await owner.execute(f"ALTER ROLE {name} SET search_path = nowhere")
        assert "search_path" in await refused(url)


@pytest.mark.parametrize(("has_own", "first"), [(False, "public"), (True, "theirs")])
async def test_a_user_called_as_a_service_has_tables_where_they_were_before_the_service_had_a_schema(
    bare_postgres_url: str, has_own: bool, first: str
) -> None:
    async with somebody(bare_postgres_url) as (owner, name, url):
        await owner.execute(f"GRANT CREATE ON DATABASE {urlsplit(url).path[1:]} TO {name}")
        await owner.execute(f"GRANT CREATE ON SCHEMA public TO {name}")
        if has_own:
            await owner.execute(f"CREATE SCHEMA AUTHORIZATION {name}")
        found = []
        for n in range(2):
            async with opened(url) as room:
                await room.store.create_view(record(table(service=name, view=f"view{n}")))
                [(schema,)] = await room.rows("SELECT current_schema()::text")
                found.append(schema)
                await room.rows(f"SELECT FROM {name}_view{n}")
        assert found == [name if first == "theirs" else first] * 2


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ({"service": "pg_shop"}, "keeps that name for itself"),
        ({"view": "v" * 60}, "too long"),
        ({"service": "s" * 40, "view": "v" * 40}, "too long"),
    ],
)
async def test_names_that_postgresql_would_cut_or_keep_for_itself_are_refused(
    at: Opened, names: dict[str, str], why: str
) -> None:
    with pytest.raises(RefusedError, match=why):
        await at.store.create_view(record(table(**names)))  # type: ignore[arg-type]
    with pytest.raises(RefusedError, match="every table of PostgreSQL has one"):
        await at.store.create_view(record(table(Column("ctid", "integer"), key=("ctid",))))
    assert await at.store.views() == []
