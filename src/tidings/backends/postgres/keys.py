"""API keys, a row for each. One that is revoked stays, so that the last one to go does not leave the door open."""

from __future__ import annotations

from tidings.backends.postgres.connection import Connection
from tidings.store.keys import ApiKey, columns_of, key_of, no_key

_GIVEN = "id, owner, scopes, sources, digest, created, expires"


async def keys(connection: Connection) -> list[ApiKey]:
    rows = await connection.fetch(f"SELECT {_GIVEN}, revoked, used FROM tidings.api_key ORDER BY created, id")
    return [key_of(*row) for row in rows]


async def add(connection: Connection, key: ApiKey) -> None:
    statement = f"INSERT INTO tidings.api_key ({_GIVEN}) VALUES ($1, $2, $3, $4, $5, $6, $7)"
    await connection.execute(statement, *columns_of(key))


async def revoke(connection: Connection, id: str, *, at: int) -> None:
    """Have it open nothing from now on. Twice is once. NotFoundError."""
    found = await connection.fetchval(
        "UPDATE tidings.api_key SET revoked = coalesce(revoked, $2) WHERE id = $1 RETURNING 1", id, at
    )
    if found is None:
        raise no_key(id)


async def used(connection: Connection, id: str, *, at: int) -> None:
    statement = "UPDATE tidings.api_key SET used = greatest(coalesce(used, 0), $2) WHERE id = $1"
    await connection.execute(statement, id, at)
