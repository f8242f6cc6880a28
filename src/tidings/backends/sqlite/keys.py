"""API keys, a row for each. One that is revoked stays, so that the last one to go does not leave the door open."""

from __future__ import annotations

import sqlite3

from tidings.store.keys import ApiKey, columns_of, key_of, no_key

_GIVEN = "id, owner, scopes, sources, digest, created, expires"


def keys(connection: sqlite3.Connection) -> list[ApiKey]:
    rows = connection.execute(f"SELECT {_GIVEN}, revoked, used FROM tidings_api_key ORDER BY created, id")
    return [key_of(*row) for row in rows]


def add(connection: sqlite3.Connection, key: ApiKey) -> None:
    connection.execute(
        f"INSERT INTO tidings_api_key ({_GIVEN}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        columns_of(key),
    )


def revoke(connection: sqlite3.Connection, id: str, *, at: int) -> None:
    """Have it open nothing from now on. Twice is once. NotFoundError."""
    found = connection.execute("UPDATE tidings_api_key SET revoked = coalesce(revoked, ?) WHERE id = ?", (at, id))
    if found.rowcount == 0:
        raise no_key(id)


def used(connection: sqlite3.Connection, id: str, *, at: int) -> None:
    connection.execute("UPDATE tidings_api_key SET used = max(coalesce(used, 0), ?) WHERE id = ?", (at, id))
