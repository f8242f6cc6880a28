"""A database for each test: `postgres_url` with tidings' tables in it, `bare_postgres_url` with nothing.
`pooled_postgres_url` is the first one behind PgBouncer.

Tests run on the newest release, unless they say otherwise:

    pytestmark = pytest.mark.parametrize("postgres", [OLDEST, NEWEST], indirect=True, scope="session")
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import cached_property
from secrets import token_hex
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.postgres import server
from tests.postgres.binaries import NEWEST
from tests.postgres.pooler import pooled, provide
from tidings.backends.postgres.database import open_database

VARIABLE = "TEST_POSTGRES_URL"
T = TypeVar("T")
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


class Making:
    """Makes and removes databases by one connection, which lasts: to connect costs as much as to remove one.

    It runs in an event loop of its own, since those of tests end with them.
    """

    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres
        self._loop = asyncio.new_event_loop()
        self._connection: asyncpg.Connection = self._wait_for(asyncpg.connect(postgres.url("postgres")))

    @cached_property
    def template(self) -> str:
        """A database with tidings' tables, made unless another process of this run has made it."""
        self._say("SELECT pg_advisory_lock(1)")
        there = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
        if not self._wait_for(self._connection.fetchval(there, TEMPLATE)):
            made = f"{TEMPLATE}_making"
            self._say(f"CREATE DATABASE {made} TEMPLATE template0")
            self.prepare(self.postgres.url(made))
            self._say(f"ALTER DATABASE {made} RENAME TO {TEMPLATE}")
        self._say("SELECT pg_advisory_unlock(1)")
        return TEMPLATE

    def prepare(self, url: str) -> None:
        """Make tidings' tables."""

        async def make() -> None:
            await (await open_database(url, connections=1)).close()

        self._wait_for(make())

    @contextmanager
    def database(self, template: str) -> Iterator[str]:
        """A new database for this block."""
        name = f"test_{token_hex(6)}"
        # Where nothing is flushed, files are copied for less than pages are through the log, as is usual since 15.
        strategy = "STRATEGY file_copy" if self._connection.get_server_version() >= (15,) else ""
        self._say(f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
        yield self.postgres.url(name)
        self._say(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def close(self) -> None:
        self._wait_for(self._connection.close())
        self._loop.close()

    def _say(self, statement: str) -> None:
        self._wait_for(self._connection.execute(statement))

    def _wait_for(self, awaited: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(awaited)


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


@pytest.fixture(scope="session")
def making(postgres: Postgres) -> Iterator[Making]:
    made = Making(postgres)
    yield made
    made.close()


@pytest.fixture
def bare_postgres_url(making: Making) -> Iterator[str]:
    """The URL of a new, empty database."""
    with making.database("template0") as url:
        yield url


@pytest.fixture
def postgres_url(making: Making) -> Iterator[str]:
    """The URL of a new database with tidings' tables in it and nothing else."""
    if isinstance(making.postgres, Named):  # nothing of ours may stay there, so there is no template either
        with making.database("template0") as url:
            making.prepare(url)
            yield url
        return
    with making.database(making.template) as url:
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
