"""Tries of deliveries, a row for each, from the moment in which it is counted."""

from __future__ import annotations

from tidings.backends.postgres.connection import Connection
from tidings.store.attempts import Attempt

OF = (
    "SELECT a.number, a.began, a.ended, a.outcome, a.error, a.answer FROM tidings.attempt a JOIN tidings.delivery d "
    "ON d.n = a.delivery WHERE d.key = $1 ORDER BY a.epoch"
)
_SURPLUS = (
    "DELETE FROM tidings.attempt WHERE n IN (SELECT n FROM tidings.attempt "
    "WHERE n <= (SELECT max(n) FROM tidings.attempt) - $1 ORDER BY n LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1"
)
# An attempt began before its delivery closed, so no younger one need be looked at.
OLD = (
    "DELETE FROM tidings.attempt WHERE n IN (SELECT a.n FROM tidings.attempt a JOIN tidings.delivery d "
    "ON d.n = a.delivery WHERE a.began < $1 AND d.closed < $1 ORDER BY a.began LIMIT $2 FOR UPDATE OF a SKIP LOCKED) "
    "RETURNING 1"
)


async def of(connection: Connection, key: str) -> list[Attempt]:
    return [
        Attempt(number=number, began=began, ended=ended, outcome=outcome, error=error, answer=answer)
        for number, began, ended, outcome, error, answer in await connection.fetch(OF, key)
    ]


async def forget(connection: Connection, *, closed: int, keep: int, limit: int) -> int:
    removed = len(await connection.fetch(_SURPLUS, keep, limit))
    if removed < limit:
        removed += len(await connection.fetch(OLD, closed, limit - removed))
    return removed
