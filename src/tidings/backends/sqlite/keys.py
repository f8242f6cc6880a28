"""API keys, a row for each. One that is revoked stays, so that the last one to go does not leave the door open."""

from __future__ import annotations

import sqlite3
from typing import Any

from tidings.errors import NotFoundError
from tidings.events.codec import decode_json, encode_json
from tidings.store.keys import ApiKey

_GIVEN = "id, owner, scopes, sources, digest, created, expires"


def keys(connection: sqlite3.Connection) -> list[ApiKey]:
    rows = connection.execute(f"SELECT {_GIVEN}, revoked, used FROM tidings_api_key ORDER BY created, id")
    return [_key(*row) for row in rows]


def _key(id: str, owner: str, scopes: bytes, sources: bytes | None, *rest: Any) -> ApiKey:
    digest, created, expires, revoked, used = rest
    return ApiKey(
        id=id,
        owner=owner,
        scopes=frozenset(decode_json(scopes)),
        sources=None if sources is None else frozenset(decode_json(sources)),
        digest=digest,
        created=created,
        expires=expires,
        revoked=revoked,
        used=used,
    )


def add(connection: sqlite3.Connection, key: ApiKey) -> None:
    sources = None if key.sources is None else encode_json(sorted(key.sources))
    connection.execute(
        f"INSERT INTO tidings_api_key ({_GIVEN}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (key.id, key.owner, encode_json(sorted(key.scopes)), sources, key.digest, key.created, key.expires),
    )


def revoke(connection: sqlite3.Connection, id: str, *, at: int) -> None:
    """Have it open nothing from now on. Twice is once. NotFoundError."""
    found = connection.execute("UPDATE tidings_api_key SET revoked = coalesce(revoked, ?) WHERE id = ?", (at, id))
    if found.rowcount == 0:
        raise NotFoundError(f"there is no key {id[:100]!r}; `tidings keys list` shows those there are")


def used(connection: sqlite3.Connection, id: str, *, at: int) -> None:
    connection.execute("UPDATE tidings_api_key SET used = max(coalesce(used, 0), ?) WHERE id = ?", (at, id))
