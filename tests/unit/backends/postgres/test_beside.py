"""A database of one's own on somebody's server."""

from __future__ import annotations

from urllib.parse import urlsplit

import asyncpg
import pytest

from tidings.backends.postgres.beside import beside, drop_database, make_database
from tidings.backends.postgres.database import open_database
from tidings.errors import SettingError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://ann:s3cret@db:5433/shop", "postgresql://ann:s3cret@db:5433/x"),
        ("postgresql://ann@db", "postgresql://ann@db/x"),
        ("postgres://one,two:5433/shop?sslmode=require", "postgres://one,two:5433/x?sslmode=require"),
        ("postgresql:///shop?host=/run/postgresql", "postgresql:///x?host=/run/postgresql"),
    ],
)
def test_only_the_databases_name_is_another(url: str, expected: str) -> None:
    assert beside(url, "x") == expected


async def test_a_database_is_made_and_removed_though_somebody_is_connected(bare_postgres_url: str) -> None:
    name = f"{urlsplit(bare_postgres_url).path[1:]}_beside"
    await make_database(bare_postgres_url, name)
    opened = await open_database(beside(bare_postgres_url, name), connections=1)
    async with opened.connection() as connection:
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    await drop_database(bare_postgres_url, name)
    await opened.close()
    with pytest.raises(SettingError, match="does not exist"):
        await open_database(beside(bare_postgres_url, name))


async def test_a_user_who_may_not_make_databases_is_told(bare_postgres_url: str) -> None:
    role = f"{urlsplit(bare_postgres_url).path[1:]}_role"
    owner = await asyncpg.connect(bare_postgres_url)
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'")
    await owner.execute(f"GRANT CREATE ON DATABASE {urlsplit(bare_postgres_url).path[1:]} TO {role}")
    parts = urlsplit(bare_postgres_url)
    url = parts._replace(netloc=f"{role}:s3cret@{parts.hostname}:{parts.port}").geturl()
    try:
        with pytest.raises(SettingError, match=f'ALTER ROLE "{role}" CREATEDB') as told:
            await make_database(url, "whatever")
        assert "s3cret" not in str(told.value)
    finally:
        await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
        await owner.close()
