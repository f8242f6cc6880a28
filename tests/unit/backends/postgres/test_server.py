"""Which servers are refused, by what they say about themselves and for real."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.postgres.fixtures import Making
from tidings.backends.postgres.database import open_database
from tidings.backends.postgres.server import Server, look, refusal
from tidings.errors import SchemaError, SettingError, StoreUnavailableError

GOOD = Server(
    version=150004,
    synchronous_commit="on",
    fsync="on",
    isolation="read committed",
    is_read_only=False,
    is_standby=False,
    encoding="UTF8",
    is_pooled=False,
    database="shop",
    role="ann",
    may_create=True,
    may_use=True,
    owner=None,
)


def test_a_good_server_is_taken() -> None:
    assert refusal(GOOD) is None
    assert refusal(replace(GOOD, may_use=None)) is None
    assert refusal(replace(GOOD, isolation="serializable")) is None
    assert refusal(replace(GOOD, may_create=False)) is None
    assert refusal(replace(GOOD, synchronous_commit="remote_apply", is_pooled=True)) is None
    assert GOOD.engine == "PostgreSQL 15.4"


def test_only_who_comes_through_a_pooler_is_cautioned() -> None:
    assert GOOD.caution is None
    assert "looks for them four times a second" in str(replace(GOOD, is_pooled=True).caution)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"version": 130021}, "PostgreSQL 13.21, and tidings needs PostgreSQL 14 or later: upgrade"),
        ({"synchronous_commit": "off"}, '`ALTER ROLE "ann" IN DATABASE "shop" SET synchronous_commit = on`'),
        (
            {"is_pooled": True, "isolation": "serializable"},
            '`ALTER ROLE "ann" IN DATABASE "shop" SET default_transaction_isolation = \'read committed\'`',
        ),
        ({"is_standby": True}, "name the primary"),
        ({"is_read_only": True}, "name the primary"),
        ({"encoding": "SQL_ASCII"}, "createdb --encoding=UTF8"),
        ({"may_use": None, "may_create": False}, 'GRANT CREATE ON DATABASE "shop" TO "ann"'),
        (
            {"may_use": None, "may_create": False, "database": 'a"b', "role": 'o"ne'},
            '`GRANT CREATE ON DATABASE "a""b" TO "o""ne"`',
        ),
        ({"may_use": False}, 'GRANT USAGE, CREATE ON SCHEMA tidings TO "ann"'),
        ({"may_use": False, "role": 'o"ne'}, '`GRANT USAGE, CREATE ON SCHEMA tidings TO "o""ne"`'),
        ({"may_use": False, "owner": "bob"}, "the tables of tidings are bob's, and only their owner may"),
    ],
    ids=str,
)
def test_a_server_that_would_break_a_promise_is_refused_with_what_to_do(wrong: dict[str, Any], said: str) -> None:
    told = refusal(replace(GOOD, **wrong))
    assert told is not None
    assert said in told


async def changed(url: str, *statements: str) -> str:
    """Say these to the database, and return its name."""
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    name: str = await connection.fetchval("SELECT current_database()")
    await connection.close()
    return name


async def test_what_a_real_server_says(bare_postgres_url: str) -> None:
    connection = await asyncpg.connect(bare_postgres_url)
    server = await look(connection)
    await connection.close()
    assert server.major >= 14
    assert (server.encoding, server.is_pooled, server.is_standby, server.may_use) == ("UTF8", False, False, None)


async def test_a_database_that_may_lose_what_it_acknowledged_is_refused_at_start(bare_postgres_url: str) -> None:
    name = urlsplit(bare_postgres_url).path[1:]
    wide, narrow = f"ALTER DATABASE {name}", f"ALTER ROLE CURRENT_USER IN DATABASE {name}"
    for whose in (wide, narrow):
        await changed(bare_postgres_url, f"{whose} SET synchronous_commit = off")
        with pytest.raises(SchemaError, match="synchronous_commit is off") as told:
            await open_database(bare_postgres_url)
        await changed(bare_postgres_url, str(told.value).split("`")[1])
        await (await open_database(bare_postgres_url)).close()
    with pytest.raises(SchemaError, match="take it out of TIDINGS_DATABASE_URL"):
        await open_database(f"{bare_postgres_url}?synchronous_commit=off")


@pytest.fixture
def latin1_url(making: Making) -> Iterator[str]:
    with making.database("template0 ENCODING 'LATIN1'") as url:
        yield url


async def test_a_database_in_another_encoding_is_refused_at_start(latin1_url: str) -> None:
    with pytest.raises(SchemaError, match="has the encoding LATIN1"):
        await open_database(latin1_url)


async def test_a_user_without_rights_is_told_what_to_grant(bare_postgres_url: str) -> None:
    role = f"{urlsplit(bare_postgres_url).path[1:]}_role"
    await changed(bare_postgres_url, f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'")
    parts = urlsplit(bare_postgres_url)
    url = parts._replace(netloc=f"{role}:s3cret@{parts.hostname}:{parts.port}").geturl()
    try:
        with pytest.raises(SchemaError, match="GRANT CREATE ON DATABASE") as told:
            await open_database(url)
        assert "s3cret" not in str(told.value)
        await (await open_database(bare_postgres_url)).close()
        with pytest.raises(SchemaError, match="connect as tidings"):
            await open_database(url)
        await changed(bare_postgres_url, f"GRANT USAGE ON SCHEMA tidings TO {role}")
        await changed(bare_postgres_url, f"GRANT ALL ON ALL TABLES IN SCHEMA tidings TO {role}")
        with pytest.raises(SchemaError, match="connect as tidings"):
            await open_database(url)
    finally:
        await changed(bare_postgres_url, f"DROP OWNED BY {role}")
        await changed(bare_postgres_url, f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"user": "tidings:wr0ng"}, SettingError, "password authentication failed"),
        ({"path": "/no_such_database"}, SettingError, "`createdb`"),
        ({"port": "1"}, StoreUnavailableError, "see that PostgreSQL runs"),
        ({"port": "wr0ng"}, SettingError, "percent-encoded"),
        ({"port": "99999"}, SettingError, "percent-encoded"),
        ({"user": "tidings:half@wr0ng"}, SettingError, "percent-encoded"),
        ({"path": "/x?sslmode=wr0ng"}, SettingError, "`sslmode` parameter must be one of: disable"),
        ({"path": "/postgres?sslmod=require"}, SettingError, 'parameter "sslmod"; see what stands behind the ?'),
        ({"path": "/postgres?lock_timeout=soon"}, SettingError, "see what stands behind the ? in TIDINGS_DATABASE_URL"),
        ({"path": "/postgres?max_connections=9"}, SettingError, "see what stands behind the ? in TIDINGS_DATABASE_URL"),
    ],
    ids=str,
)
async def test_a_url_that_leads_nowhere_is_told_without_its_password(
    bare_postgres_url: str, change: dict[str, str], kind: type[Exception], said: str
) -> None:
    parts = urlsplit(bare_postgres_url)
    user = change.get("user", f"{parts.username}:{parts.password}")
    port = change.get("port", parts.port)
    path = change.get("path", parts.path)
    url = f"postgresql://{user}@{parts.hostname}:{port}{path}"
    with pytest.raises(kind) as told:
        await open_database(url)
    assert said in str(told.value)
    assert str(parts.password) not in str(told.value)
    assert "wr0ng" not in str(told.value)
