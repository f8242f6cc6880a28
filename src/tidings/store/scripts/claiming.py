"""Scripts by which deliveries are taken for the endpoints whose turn it is, and all that is looked at for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from msgspec import structs

from tidings.store.claims import Lease
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery as Claimed
from tidings.store.endpoint_deliveries import Claiming, EndpointClaim
from tidings.store.endpoints import EndpointRecord
from tidings.store.room import Room, after_taking, next_token, room_of
from tidings.store.scripts import keeping
from tidings.store.scripts.script import CHANGED, Script, ask, ask_many, pieces, places
from tidings.store.scripts.settling import CLAIMED, claimed_of

TURN = 100
"""How many endpoints are looked at in one claim."""
_FIRST = "d.endpoint = e.id AND d.state = 'due' AND d.attempts = 0 AND d.next_at <= $1"
_LATE = "d.endpoint = e.id AND d.state = 'due' AND d.attempts > 0 AND d.next_at <= $1"
_LEASED = (
    "(SELECT count(DISTINCT coalesce(d.batch, d.key)) FROM tidings.delivery d "
    "WHERE d.endpoint = e.id AND d.state = 'leased')"
)
_LATE_LEASED = _LEASED.replace("= 'leased')", "= 'leased' AND d.attempts > 1)")
_SLOTS = (
    "CASE WHEN e.ordering = 'fifo' OR e.state = 'degraded' OR e.slots = 1 THEN 1 "
    "WHEN e.slowed_until > $1 THEN e.slots / 2 ELSE e.slots END"
)
# Most endpoints wait for nothing, and are not read.
_WAITING = (
    "(SELECT 1 FROM tidings.delivery d WHERE d.endpoint = e.id AND d.state = 'due' AND d.attempts = 0 "
    "ORDER BY d.next_at LIMIT 1) IS NOT NULL OR (SELECT 1 FROM tidings.delivery d WHERE d.endpoint = e.id "
    "AND d.state = 'due' AND d.attempts > 0 ORDER BY d.next_at LIMIT 1) IS NOT NULL"
)
# Two questions, so that each is served by its partial index, and none that a hash of all deliveries could answer. One
# without room is left out: it costs no turn.
DUE_ENDPOINTS = (
    f"SELECT {keeping.COLUMNS} FROM tidings.endpoint e WHERE state IN ('active', 'degraded') AND not_before <= $1 "
    f"AND ((SELECT 1 FROM tidings.delivery d WHERE {_FIRST} ORDER BY d.next_at LIMIT 1) IS NOT NULL "
    f"OR (SELECT 1 FROM tidings.delivery d WHERE {_LATE} ORDER BY d.next_at LIMIT 1) IS NOT NULL) "
    f"AND {_LEASED} < {_SLOTS} "
    "AND (rate IS NULL OR tokens + ($1 - tokens_at) * (rate / 60000000.0) >= 1) "
    f"ORDER BY claimed_at, id LIMIT {TURN} FOR UPDATE SKIP LOCKED"
)
FIRST = (
    "SELECT n, next_at FROM tidings.delivery WHERE endpoint = $1 AND state = 'due' AND attempts = 0 AND next_at <= $2 "
    "ORDER BY next_at, position LIMIT $3"
)
LATE = (
    "SELECT n, next_at, batch FROM tidings.delivery WHERE endpoint = $1 AND state = 'due' AND attempts > 0 "
    "AND next_at <= $2 ORDER BY next_at, position LIMIT $3"
)
LEASED = (
    "SELECT count(DISTINCT coalesce(batch, key)), count(DISTINCT CASE WHEN attempts > 1 THEN coalesce(batch, key) END) "
    "FROM tidings.delivery WHERE endpoint = $1 AND state = 'leased'"
)
_TAKE = (
    "UPDATE tidings.delivery SET state = 'leased', attempts = attempts + 1, epoch = epoch + 1, owner = $1, until = $2, "
    "next_at = NULL, first_at = coalesce(first_at, $3), batch = coalesce(batch, $4) "
    f"WHERE n IN ({{}}) AND state = 'due'{CHANGED}"
)
# The epoch of its first row makes it a name that no other batch ever has, also where that row leaves it or dies.
_NAME = "SELECT coalesce(batch, key || '#' || (epoch + 1)) FROM tidings.delivery WHERE n = $1"
_TAKEN = f"SELECT {', '.join(CLAIMED.split(', ')[:-1])} FROM tidings.delivery WHERE n IN ({{}}) AND state = 'leased'"
_HASHES = "SELECT n, body_hash FROM tidings.delivery WHERE n IN ({}) AND body_hash IS NOT NULL"
_BEGIN = (
    "INSERT INTO tidings.attempt (delivery, epoch, number, began) "
    "SELECT n, epoch, attempts, $1::bigint FROM tidings.delivery WHERE n IN ({})"
)


Picked: TypeAlias = tuple[int, list[int], bool]
"""What goes in one request, so that it sorts by its turn: when it is due, the numbers of its rows, whether it is a
retry."""


def due_endpoints(*, now: int) -> Script[list[EndpointRecord]]:
    """Return whose turn it is, in order, locked: those that wait for somebody else are passed over."""
    return [keeping.record_of(row) for row in (yield from ask(DUE_ENDPOINTS, now))]


def claim(endpoints: Sequence[EndpointRecord], claiming: Claiming, lease: Lease[int]) -> Script[list[EndpointClaim]]:
    """Take what is due for these endpoints, which are locked, one after the other."""
    claims, left = [], claiming
    for endpoint in endpoints:
        if left.limit <= 0:
            break
        picked = yield from _pick(endpoint, room_of(endpoint, now=lease.now), left, now=lease.now)
        taken = yield from _take(endpoint, picked, lease)
        yield from turn(endpoint, len(picked), now=lease.now)
        if taken:
            claims.append(EndpointClaim(endpoint=endpoint, deliveries=taken))
        late = sum([is_late for _, _, is_late in picked])
        left = replace(left, limit=left.limit - len(picked), late=left.late - late)
    return claims


def _pick(endpoint: EndpointRecord, room: Room, left: Claiming, *, now: int) -> Script[list[Picked]]:
    [(leased, late)] = yield from ask(LEASED, endpoint.id)
    free = min(room.slots - leased, left.limit, *([] if room.allowance is None else [room.allowance]))
    free_late = min(free, room.slots - room.reserved - late, left.late)
    if free <= 0:
        return []
    picked = yield from _firsts(endpoint, free, now=now)
    if free_late > 0:
        rows = yield from ask_many(LATE, endpoint.id, now, free_late * endpoint.pacing.batch)
        groups: dict[Any, list[tuple[int, int]]] = {}
        for n, next_at, batch in rows:
            groups.setdefault(n if batch is None else batch, []).append((next_at, n))
        for batch, group in list(groups.items())[:free_late]:
            whole = group if isinstance(batch, int) else (yield from _members(endpoint.id, batch))
            picked.append((min(group)[0], [n for _, n in whole], True))
    return sorted(picked)[:free]


def _members(id: str, batch: str) -> Script[list[tuple[Any, ...]]]:
    """Return all that were sent in this batch and are due again, whatever the page of them that was seen."""
    return (
        yield from ask(
            "SELECT next_at, n FROM tidings.delivery WHERE endpoint = $1 AND state = 'due' AND attempts > 0 "
            "AND batch = $2 ORDER BY n",
            *(id, batch),
        )
    )


def _firsts(endpoint: EndpointRecord, free: int, *, now: int) -> Script[list[Picked]]:
    size, linger = endpoint.pacing.batch, endpoint.pacing.linger
    rows = yield from ask_many(FIRST, endpoint.id, now, free * size)
    if size == 1:
        return [(next_at, [n], False) for n, next_at in rows]
    found = []
    for start in range(0, len(rows), size):
        piece = rows[start : start + size]
        if len(piece) == size or piece[0][1] + linger <= now:
            found.append((piece[0][1], sorted([n for n, _ in piece]), False))
    return found


def _take(endpoint: EndpointRecord, picked: Sequence[Picked], lease: Lease[int]) -> Script[list[Claimed]]:
    """Count the attempts of what was picked: in its order, and the members of a batch side by side."""
    if endpoint.pacing.batch == 1:
        return (yield from _take_all([n for _, rows, _ in picked for n in rows], None, lease))
    taken: list[Claimed] = []
    for _, rows, _ in picked:
        [(batch,)] = yield from ask(_NAME, rows[0])
        taken += yield from _take_all(rows, batch, lease)
    return taken


def _take_all(numbers: Sequence[int], batch: str | None, lease: Lease[int]) -> Script[list[Claimed]]:
    taken: dict[int, Claimed] = {}
    for piece in pieces(numbers):
        among = places(1, len(piece))
        changed = yield from ask(
            _TAKE.format(places(5, len(piece))), *(lease.owner, lease.now + lease.ttl, lease.now, batch), *piece
        )
        if changed:
            taken |= {row[0]: claimed_of((*row, None)) for row in (yield from ask_many(_TAKEN.format(among), *piece))}
    again = [n for n, each in taken.items() if each.attempt > 1]
    for piece in pieces(again):
        for n, body_hash in (yield from ask(_HASHES.format(places(1, len(piece))), *piece)):
            taken[n] = structs.replace(taken[n], body_hash=body_hash)
    for piece in pieces([*taken]):
        yield from ask(_BEGIN.format(places(2, len(piece))), lease.now, *piece)
    return [taken[n] for n in numbers if n in taken]


def turn(endpoint: EndpointRecord, taken: int, *, now: int) -> Script[None]:
    """Write down that it had its turn."""
    after = after_taking(endpoint, taken, now=now)
    yield from ask(
        "UPDATE tidings.endpoint SET claimed_at = $2, tokens = $3, tokens_at = $4 WHERE id = $1 RETURNING 1",
        *(endpoint.id, after.claimed_at, after.tokens, after.tokens_at),
    )


def next_claim(*, now: int | None) -> Script[int | None]:
    """See `EndpointStore.next_endpoint_delivery`."""
    at = yield from keeping.now_of(now)
    rows = yield from ask(
        f"SELECT {keeping.COLUMNS}, "
        "(SELECT min(d.next_at) FROM tidings.delivery d WHERE d.endpoint = e.id AND d.state = 'due' "
        "AND d.attempts = 0), (SELECT min(d.next_at) FROM tidings.delivery d WHERE d.endpoint = e.id "
        f"AND d.state = 'due' AND d.attempts > 0), {_LEASED}, {_LATE_LEASED} "
        f"FROM tidings.endpoint e WHERE state IN ('active', 'degraded') AND ({_WAITING})"
    )
    [(until,)] = yield from ask(
        "SELECT min(until) FROM tidings.delivery WHERE state = 'leased' AND endpoint IS NOT NULL"
    )
    times = [] if until is None else [until]
    for *row, first, late, leased, late_leased in rows:
        endpoint = keeping.record_of(row)
        room = room_of(endpoint, now=at)
        due = []
        if first is not None and leased < room.slots:
            due.append((yield from _first_due(endpoint, first)))
        if late is not None and leased < room.slots and late_leased < room.slots - room.reserved:
            due.append(late)
        if due:
            times.append(max(min(due), endpoint.condition.not_before, next_token(endpoint, now=at)))
    return min(times, default=None)


def _first_due(endpoint: EndpointRecord, first: int) -> Script[int]:
    """Return when the first ones may go: a batch that is not full waits for more."""
    size, linger = endpoint.pacing.batch, endpoint.pacing.linger
    if not linger or len((yield from ask_many(FIRST, endpoint.id, first + linger, size))) == size:
        return first
    return first + linger
