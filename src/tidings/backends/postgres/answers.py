"""Requests under a key: their answers, each a row in the transaction of what was done for it."""

from __future__ import annotations

from tidings.backends.postgres import locks
from tidings.backends.postgres.connection import Connection
from tidings.store.keyed import KeptAnswer, Request


async def find(connection: Connection, request: Request) -> KeptAnswer | None:
    """Return what is kept under the request's key; None if it is new. Who asks for the same waits for this one."""
    named = request.owner, request.route, request.key
    await locks.alone_with(connection, locks.ANSWERS, *named)
    found = await connection.fetchrow(
        "SELECT fingerprint, answer FROM tidings.kept_answer WHERE owner = $1 AND route = $2 AND key = $3", *named
    )
    return None if found is None else KeptAnswer(*found)


async def keep(connection: Connection, request: Request, answer: bytes) -> None:
    await connection.execute(
        "INSERT INTO tidings.kept_answer (owner, route, key, fingerprint, at, answer) VALUES ($1, $2, $3, $4, $5, $6)",
        request.owner,
        request.route,
        request.key,
        request.fingerprint,
        request.at,
        answer,
    )


async def forget(connection: Connection, *, before: int, limit: int) -> int:
    """Remove the oldest answers kept before this time, `limit` at most; return how many there were."""
    removed = await connection.fetch(
        "DELETE FROM tidings.kept_answer WHERE (owner, route, key) IN "
        "(SELECT owner, route, key FROM tidings.kept_answer WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) "
        "RETURNING 1",
        before,
        limit,
    )
    return len(removed)
