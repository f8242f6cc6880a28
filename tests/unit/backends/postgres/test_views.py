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
