"""Calls to the outside that are still to be made, or were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidings.backends.postgres.connection import Connection
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
from tidings.store.reason import Reason, readable

# Those that another one is just claiming are passed over, and so is what waits for an earlier one of its order.
_DUE = (
    "SELECT d.n, d.next_at FROM tidings.delivery d WHERE d.state = 'due' AND d.service = s.service "
    "AND d.next_at <= tidings.now_us($2) AND (d.ordering IS NULL OR NOT EXISTS (SELECT FROM tidings.delivery e "
    "WHERE e.state IN ('due', 'leased') AND e.service = d.service AND e.ordering = d.ordering AND e.n < d.n)) "
    "ORDER BY d.next_at, d.n LIMIT $3 FOR UPDATE OF d SKIP LOCKED"
)
CLAIM = (
    f"WITH due AS (SELECT d.n FROM unnest($1::text[]) AS s(service) CROSS JOIN LATERAL ({_DUE}) d "
    "ORDER BY d.next_at, d.n LIMIT $3), "
    "counted AS (UPDATE tidings.delivery d SET state = 'leased', attempts = d.attempts + 1, epoch = d.epoch + 1, "
    "owner = $4, until = tidings.now_us($2) + $5, next_at = NULL, first_at = coalesce(d.first_at, tidings.now_us($2)) "
    "FROM due WHERE d.n = due.n "
    "RETURNING d.n, d.key, d.service, d.function, d.payload, d.ordering, d.attempts, d.epoch, d.failed), "
    "begun AS (INSERT INTO tidings.attempt (delivery, epoch, number, began) "
    "SELECT n, epoch, attempts, tidings.now_us($2) FROM counted ON CONFLICT DO NOTHING) "
    "SELECT * FROM counted ORDER BY n"
)
# Its attempts go first: without their delivery nobody would find them.
OLD = (
    "DELETE FROM tidings.delivery WHERE n IN (SELECT d.n FROM tidings.delivery d "
    "WHERE d.state <> 'dead' AND d.closed < $1 "
    "AND (SELECT a.n FROM tidings.attempt a WHERE a.delivery = d.n LIMIT 1) IS NULL "  # which no hash of all answers
    "ORDER BY d.closed LIMIT $2 FOR UPDATE OF d SKIP LOCKED) RETURNING 1"
)
LOSE = (
    "WITH lost AS (UPDATE tidings.delivery SET state = 'due', next_at = tidings.now_us($2), owner = NULL, until = NULL "
    "WHERE n IN (SELECT n FROM tidings.delivery WHERE state = 'leased' AND service IS NOT NULL "
    "AND (owner = ANY ($1::text[]) OR until <= tidings.now_us($2)) FOR UPDATE SKIP LOCKED) RETURNING n, epoch) "
    "UPDATE tidings.attempt a SET ended = tidings.now_us($2), outcome = 'lost' FROM lost "
    "WHERE a.delivery = lost.n AND a.epoch = lost.epoch"
)
SETTLE = (
    "WITH settled AS (UPDATE tidings.delivery SET state = $3, next_at = $4, reason = $5, error = $6, "
    "failed = failed + 1, owner = NULL, until = NULL, closed = CASE WHEN $3 <> 'due' THEN tidings.now_us($7) END "
    "WHERE key = $1 AND epoch = $2 AND state = 'leased' RETURNING n), "
    "ended AS (UPDATE tidings.attempt a SET ended = tidings.now_us($7), outcome = coalesce($5, $3), error = $6 "
    "FROM settled WHERE a.delivery = settled.n AND a.epoch = $2) SELECT n FROM settled"
)


async def intend(connection: Connection, deliveries: Sequence[Delivery], *, now: int | None) -> None:
    """Add deliveries in the order given. `now`: as of `Lease`."""
    await connection.execute(
        "INSERT INTO tidings.delivery (key, service, function, payload, ordering, state, next_at, intended) "
        "SELECT g.*, 'due', t.now, t.now FROM tidings.now_us($6) AS t(now), "
        "unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[]) AS g ON CONFLICT DO NOTHING",
        [each.key for each in deliveries],
        [each.service for each in deliveries],
        [each.function for each in deliveries],
        [each.payload for each in deliveries],
        [each.order for each in deliveries],
        now,
    )


async def claim(
    connection: Connection, lease: Lease[int | None], *, services: Sequence[str], limit: int
) -> list[ClaimedDelivery]:
    await _let_go_of_the_dead(connection, now=lease.now)
    rows = await connection.fetch(CLAIM, list(services), lease.now, limit, lease.owner, lease.ttl)
    return [claimed_of(row) for row in rows]


async def _let_go_of_the_dead(connection: Connection, *, now: int | None) -> None:
    """Make due again what nobody calls any more; the attempts of those calls are lost."""
    owners = await connection.fetch(
        "SELECT owner, min(until) <= tidings.now_us($1) FROM tidings.delivery WHERE state = 'leased' GROUP BY owner",
        now,
    )
    gone = [owner for owner, _ in owners if is_gone(owner)]
    if gone or any(has_ended for _, has_ended in owners):
        await connection.execute(LOSE, gone, now)


async def settle(connection: Connection, claimed: ClaimedDelivery, reason: Reason | None, *, now: int | None) -> None:
    """Write the result; CheckpointMovedError if another owner has it by now. `now`: as of `Lease`."""
    state, next_at, kind, error = settled(reason)
    told = state, next_at, kind, readable(error)
    if await connection.fetchval(SETTLE, claimed.delivery.key, claimed.epoch, *told, now) is None:
        raise taken_over(claimed)


async def listed(
    connection: Connection, state: str | None, where: DeliveryFilter, *, after: str | None, limit: int
) -> list[Mapping[str, Any]]:
    given = conditions_of(state, where)
    if after is not None:
        given.insert(0, ("n > (SELECT n FROM tidings.delivery WHERE key = {})", after))
    conditions = "".join(f" AND {condition.format(f'${n}')}" for n, (condition, _) in enumerate(given, 1))
    held = [value for _, value in given]
    return await _seen(connection, f"WHERE TRUE{conditions} ORDER BY n LIMIT ${len(held) + 1}", [*held, limit])


async def found(connection: Connection, key: str) -> Mapping[str, Any] | None:
    return next(iter(await _seen(connection, "WHERE key = $1", [key])), None)


async def _seen(connection: Connection, where: str, held: Sequence[Any]) -> list[Mapping[str, Any]]:
    rows = await connection.fetch(f"SELECT {', '.join(SHOWN)} FROM tidings.delivery {where}", *held)
    return [dict(zip(SHOWN, row, strict=True)) for row in rows]


async def forget(connection: Connection, *, closed: int, limit: int) -> int:
    return len(await connection.fetch(OLD, closed, limit))


async def next_due(connection: Connection) -> int | None:
    """Return when the next retry of a parked subject or a delivery comes."""
    found: int | None = await connection.fetchval(
        "SELECT least((SELECT min(next_at) FROM tidings.parked WHERE state = 'retrying'), "
        "(SELECT min(next_at) FROM tidings.delivery WHERE state = 'due' AND service IS NOT NULL), "
        "(SELECT min(until) FROM tidings.delivery WHERE state = 'leased' AND service IS NOT NULL))"
    )
    return found
