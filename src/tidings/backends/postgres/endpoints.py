"""Endpoints and what is sent to them: scripts that are the same everywhere, and what is quicker for all at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.scripts import run
from tidings.store.claims import Lease
from tidings.store.endpoint_deliveries import (
    ClaimedEndpointDelivery,
    Claiming,
    Ending,
    EndpointClaim,
    EndpointDelivery,
    Turned,
)
from tidings.store.endpoints import EndpointRecord
from tidings.store.inserting import by_endpoint, is_wanted, row_of
from tidings.store.room import after_taking, room_of
from tidings.store.scripts import claiming, keeping, line, settling
from tidings.store.scripts.settling import CLAIMED, claimed_of

__all__ = ["claim", "deliver", "run", "turn"]

_TYPES = ("text", "text", "bigint", "text", "text", "text", "int", "bigint", "text", "bigint", "bigint", "bigint")
_ADD = (
    "INSERT INTO tidings.delivery (key, endpoint, position, run, subject, type, pin, expires, state, next_at, held, "
    f"intended) SELECT * FROM unnest({', '.join(f'${n}::{type}[]' for n, type in enumerate(_TYPES, 1))}) "
    "ON CONFLICT DO NOTHING RETURNING n, endpoint"
)
_LOCK = f"SELECT {keeping.COLUMNS} FROM tidings.endpoint WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE"
_PICK = (
    "SELECT n, next_at, {0} AS late FROM tidings.delivery WHERE endpoint = r.id AND state = 'due' "
    "AND attempts {1} AND next_at <= $5 ORDER BY next_at, position LIMIT {2}"
)
# The second statement: it sees what the lock on the endpoints waited for. Each endpoint has room for so many, and
# for so many retries; of all that is picked there goes as much as the process has room for.
CLAIM = (
    "WITH room AS (SELECT e.id, least(e.slots - n.leased, e.allowance) AS free, "
    "e.slots - e.reserved - n.late AS free_late "
    "FROM unnest($1::text[], $2::int[], $3::int[], $4::int[]) AS e(id, slots, reserved, allowance) CROSS JOIN LATERAL "
    "(SELECT count(*) AS leased, count(*) FILTER (WHERE attempts > 1) AS late FROM tidings.delivery "
    "WHERE endpoint = e.id AND state = 'leased') n WHERE n.leased < e.slots), "
    "seen AS (SELECT c.* FROM room r CROSS JOIN LATERAL ("
    f"({_PICK.format('false', '= 0', 'r.free')}) UNION ALL "
    f"({_PICK.format('true', '> 0', 'greatest(0, least(r.free, r.free_late))')}) ORDER BY next_at, n LIMIT r.free) c), "
    "ranked AS (SELECT n, next_at, late, "
    "row_number() OVER (PARTITION BY late ORDER BY next_at, n) AS place FROM seen), "
    "picked AS (SELECT n FROM ranked WHERE NOT late OR place <= $7 ORDER BY next_at, n LIMIT $6), "
    "counted AS (UPDATE tidings.delivery d SET state = 'leased', attempts = d.attempts + 1, epoch = d.epoch + 1, "
    "owner = $8, until = $5 + $9, next_at = NULL, first_at = coalesce(d.first_at, $5) "
    f"WHERE d.n = ANY (ARRAY(SELECT n FROM picked)) AND d.state = 'due' RETURNING {CLAIMED}), "
    "begun AS (INSERT INTO tidings.attempt (delivery, epoch, number, began) "
    "SELECT n, epoch, attempts, $5 FROM counted) "
    "SELECT * FROM counted ORDER BY endpoint, n"
)
_TURN = (
    "UPDATE tidings.endpoint e SET claimed_at = t.claimed_at, tokens = t.tokens, tokens_at = t.tokens_at "
    "FROM unnest($1::text[], $2::bigint[], $3::float8[], $4::bigint[]) AS t(id, claimed_at, tokens, tokens_at) "
    "WHERE e.id = t.id"
)


async def deliver(connection: Connection, deliveries: Sequence[EndpointDelivery], *, now: int | None) -> int:
    at = await run(connection, keeping.now_of(now))
    locked = await connection.fetch(_LOCK, by_endpoint(deliveries))
    found = {each.id: each for each in map(keeping.record_of, locked)}
    for_now = [(each, found.get(each.endpoint)) for each in deliveries]
    rows = [row_of(each, of, now=at) for each, of in for_now if of is not None and is_wanted(each, of)]
    new = await connection.fetch(_ADD, *map(list, zip(*rows, strict=True))) if rows else []
    for id, endpoint in found.items():
        numbers = [n for n, of in new if of == id]
        if numbers and endpoint.pacing.ordering != "none":
            await run(connection, line.fall_in(endpoint, first=min(numbers), last=max(numbers), at=at))
    return len(new)


async def turn(connection: Connection, lease: Lease[int | None], ending: Ending, claiming_: Claiming | None) -> Turned:
    settled = await run(connection, settling.settle_untold(ending, now=lease.now))
    return Turned(settled, [] if claiming_ is None else await claim(connection, lease, claiming_))


async def claim(connection: Connection, lease: Lease[int | None], claiming_: Claiming) -> list[EndpointClaim]:
    now = await run(connection, keeping.now_of(lease.now))
    endpoints = await run(connection, claiming.due_endpoints(now=now))
    plain = [each for each in endpoints if each.pacing.batch == 1]
    timed = Lease(owner=lease.owner, now=now, ttl=lease.ttl)
    claims = await _claim_at_once(connection, plain, claiming_, timed) if plain else []
    left = claiming_.without([each for claim in claims for each in claim.deliveries])
    batching = [each for each in endpoints if each.pacing.batch > 1]
    return claims + await run(connection, claiming.claim(batching, left, timed))


async def _claim_at_once(
    connection: Connection, endpoints: Sequence[EndpointRecord], claiming_: Claiming, lease: Lease[int]
) -> list[EndpointClaim]:
    rooms = [room_of(each, now=lease.now) for each in endpoints]
    rows = await connection.fetch(
        CLAIM,
        [each.id for each in endpoints],
        [each.slots for each in rooms],
        [each.reserved for each in rooms],
        [each.allowance for each in rooms],
        *(lease.now, claiming_.limit, claiming_.late, lease.owner, lease.ttl),
    )
    taken = _by_endpoint(map(claimed_of, rows))
    turns = [after_taking(each, len(taken.get(each.id, ())), now=lease.now) for each in endpoints]
    await connection.execute(
        _TURN,
        [each.id for each in endpoints],
        [each.claimed_at for each in turns],
        [each.tokens for each in turns],
        [each.tokens_at for each in turns],
    )
    return [EndpointClaim(endpoint=each, deliveries=taken[each.id]) for each in endpoints if each.id in taken]


def _by_endpoint(claimed: Iterable[ClaimedEndpointDelivery]) -> dict[str, list[ClaimedEndpointDelivery]]:
    found: dict[str, list[ClaimedEndpointDelivery]] = {}
    for each in claimed:
        found.setdefault(each.delivery.endpoint, []).append(each)
    return found
