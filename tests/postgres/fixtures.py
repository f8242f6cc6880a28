"""A database for each test: `postgres_url` with tidings' tables in it, `bare_postgres_url` with nothing.
`pooled_postgres_url` is the first one behind PgBouncer.

Tests run on the newest release, unless they say otherwise:

    pytestmark = pytest.mark.parametrize("postgres", [OLDEST, NEWEST], indirect=True, scope="session")
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Protocol
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.postgres import server
from tests.postgres.binaries import NEWEST
from tests.postgres.pooler import pooled, provide
from tidings.backends.postgres.database import open_database

VARIABLE = "TEST_POSTGRES_URL"
TEMPLATE = f"tidings_template_{server.RUN}"


class Postgres(Protocol):
    """A server that tests may make databases on."""

    def url(self, database: str) -> str:
        """Return the URL of a database on it, with the right to make others."""


class Named:
    """The server that `TEST_POSTGRES_URL` names."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    def url(self, database: str) -> str:
        return self._url._replace(path=f"/{database}").geturl()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """The server of this run: the one that `TEST_POSTGRES_URL` names, or one that is started now."""
    named = os.environ.get(VARIABLE)
    if named:
        yield Named(named)
        return
    try:
        started = server.shared(getattr(request, "param", NEWEST))
    except LookupError as error:
        pytest.fail(str(error), pytrace=False)
    yield started
    started.close()


@pytest.fixture
async def bare_postgres_url(postgres: Postgres) -> AsyncIterator[str]:
    """The URL of a new, empty database."""
    async with database_on(postgres, "template0") as url:
        yield url


@pytest.fixture
async def postgres_url(postgres: Postgres) -> AsyncIterator[str]:
    """The URL of a new database with tidings' tables in it and nothing else."""
    if isinstance(postgres, Named):  # nothing of ours may stay there, so there is no template either
        async with database_on(postgres, "template0") as url:
            await (await open_database(url, connections=1)).close()
            yield url
        return
    await _see_to_template(postgres)
    async with database_on(postgres, TEMPLATE) as url:
        yield url


@pytest.fixture(scope="session")
def pooler(postgres: Postgres) -> Iterator[str]:
    """A URL behind PgBouncer in transaction mode, which leads to any database of this run's server."""
    try:
        program = provide()
    except LookupError as error:
        pytest.fail(str(error), pytrace=False)
    with pooled(postgres.url("postgres"), program) as url:
        yield url


@pytest.fixture
def pooled_postgres_url(pooler: str, postgres_url: str) -> str:
    """The URL of the same database as `postgres_url`, behind PgBouncer."""
    return urlsplit(pooler)._replace(path=urlsplit(postgres_url).path).geturl()


@asynccontextmanager
async def database_on(postgres: Postgres, template: str) -> AsyncIterator[str]:
    name = f"test_{token_hex(6)}"
    await _said(postgres, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.url(name)
    await _said(postgres, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _see_to_template(postgres: Postgres) -> None:
    """Make the template, if no process of this run has made it."""
    connection = await asyncpg.connect(postgres.url("postgres"))
    try:
        await connection.execute("SELECT pg_advisory_lock(1)")
        there = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
        if not await connection.fetchval(there, TEMPLATE):
            making = f"{TEMPLATE}_making"
            await connection.execute(f"CREATE DATABASE {making} TEMPLATE template0")
            await (await open_database(postgres.url(making), connections=1)).close()
            await connection.execute(f"ALTER DATABASE {making} RENAME TO {TEMPLATE}")
    finally:
        await connection.close()


async def _said(postgres: Postgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.url("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
