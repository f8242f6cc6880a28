"""Calls to the outside that are still to be made, or were made."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from tidings.backends.sqlite import attempts
from tidings.backends.sqlite.statements import filled, flat, values
from tidings.ports import is_gone
from tidings.store.claims import Lease
from tidings.store.deliveries import (
    SHOWN,
    ClaimedDelivery,
    Delivery,
    DeliveryFilter,
    claimed_of,
    conditions_of,
    settled,
    taken_over,
)
from tidings.store.reason import Reason

DUE = (
    "SELECT next_at, n FROM tidings_delivery d WHERE state = 'due' AND service = ? AND next_at <= ? "
    "AND (ordering IS NULL OR NOT EXISTS (SELECT 1 FROM tidings_delivery e WHERE e.state IN ('due', 'leased') "
    "AND e.service = d.service AND e.ordering = d.ordering AND e.n < d.n)) ORDER BY next_at, n LIMIT ?"
)
# Its attempts go first: without their delivery nobody would find them.
OLD = (
    "DELETE FROM tidings_delivery WHERE n IN (SELECT d.n FROM tidings_delivery d "
    "WHERE d.state <> 'dead' AND d.closed < ? "
    "AND NOT EXISTS (SELECT 1 FROM tidings_attempt a WHERE a.delivery = d.n) ORDER BY d.closed LIMIT ?)"
)


LAST = (1 << 63) - 1


def intend(connection: sqlite3.Connection, deliveries: Sequence[Delivery], *, now: int) -> None:
    rows = [(each.key, each.service, each.function, each.payload, each.order, "due", now, now) for each in deliveries]
    for piece in filled(rows, 8):
        connection.execute(
            "INSERT INTO tidings_delivery (key, service, function, payload, ordering, state, next_at, intended) "
            f"VALUES {values(8, len(piece))} ON CONFLICT DO NOTHING",
            flat(piece),
        )


def claim(
    connection: sqlite3.Connection, lease: Lease[int], *, services: Sequence[str], limit: int
) -> list[ClaimedDelivery]:
    _let_go_of_the_dead(connection, now=lease.now)
    due: list[tuple[int, int]] = []
    for service in services:
        due += connection.execute(DUE, (service, lease.now, limit)).fetchall()
    numbers = sorted(due)[:limit]
    found: list[tuple[Any, ...]] = []
    for piece in filled([n for _, n in numbers], 1):
        found += connection.execute(
            "UPDATE tidings_delivery SET state = 'leased', attempts = attempts + 1, epoch = epoch + 1, owner = ?, "
            "until = ?, "
            "next_at = NULL, first_at = coalesce(first_at, ?) "
            f"WHERE n IN {values(len(piece), 1)} "
            "RETURNING n, key, service, function, payload, ordering, attempts, epoch, failed",
            (lease.owner, lease.now + lease.ttl, lease.now, *piece),
        ).fetchall()
    attempts.begin(connection, [(n, epoch, attempt) for n, *_, attempt, epoch, _ in found], now=lease.now)
    return [claimed_of(row) for row in sorted(found)]


def _let_go_of_the_dead(connection: sqlite3.Connection, *, now: int) -> None:
    """Make due again what nobody calls any more; the attempts of those calls are lost."""
    held = connection.execute(
        "SELECT owner, min(until) FROM tidings_delivery WHERE state = 'leased' GROUP BY owner"
    ).fetchall()
    for owner, until in held:
        if until <= now or is_gone(owner):
            ended = connection.execute(
                "UPDATE tidings_delivery SET state = 'due', next_at = ?, owner = NULL, until = NULL "
                "WHERE state = 'leased' AND owner = ? AND until <= ? AND service IS NOT NULL RETURNING n, epoch",
                (now, owner, LAST if is_gone(owner) else now),
            ).fetchall()
            attempts.lose(connection, ended, now=now)


def settle(connection: sqlite3.Connection, claimed: ClaimedDelivery, reason: Reason | None, *, now: int) -> None:
    """Write the result; CheckpointMovedError if another owner has it by now."""
    told = settled(reason)
    closed = None if told[0] == "due" else now
    changed = connection.execute(
        "UPDATE tidings_delivery SET state = ?, next_at = ?, reason = ?, error = ?, closed = ?, failed = failed + 1, "
        "owner = NULL, until = NULL WHERE key = ? AND epoch = ? AND state = 'leased' RETURNING n",
        (*told, closed, claimed.delivery.key, claimed.epoch),
    ).fetchone()
    if changed is None:
        raise taken_over(claimed)
    attempts.end(connection, changed[0], claimed.epoch, reason, now=now)


def listed(
    connection: sqlite3.Connection, state: str | None, where: DeliveryFilter, *, after: str | None, limit: int
) -> list[Mapping[str, Any]]:
    given = conditions_of(state, where)
    if after is not None:
        given.insert(0, ("n > (SELECT n FROM tidings_delivery WHERE key = {})", after))
    conditions = "".join(f" AND {condition.format('?')}" for condition, _ in given)
    held = [value for _, value in given]
    return _seen(connection, f"WHERE TRUE{conditions} ORDER BY n LIMIT ?", [*held, limit])


def found(connection: sqlite3.Connection, key: str) -> Mapping[str, Any] | None:
    return next(iter(_seen(connection, "WHERE key = ?", [key])), None)


def _seen(connection: sqlite3.Connection, where: str, held: Sequence[Any]) -> list[Mapping[str, Any]]:
    statement = f"SELECT {', '.join(SHOWN)} FROM tidings_delivery {where}"
    return [dict(zip(SHOWN, row, strict=True)) for row in connection.execute(statement, held)]


def forget(connection: sqlite3.Connection, *, closed: int, limit: int) -> int:
    return connection.execute(OLD, (closed, limit)).rowcount


def next_due(connection: sqlite3.Connection) -> int | None:
    """Return when the next retry of a parked subject or a delivery comes."""
    found: int | None = connection.execute(
        "SELECT min(at) FROM (SELECT min(next_at) AS at FROM tidings_parked WHERE state = 'retrying' "
        "UNION ALL SELECT min(next_at) FROM tidings_delivery WHERE state = 'due' AND service IS NOT NULL "
        "UNION ALL SELECT min(until) FROM tidings_delivery WHERE state = 'leased' AND service IS NOT NULL)"
    ).fetchone()[0]
    return found
