"""Scripts about endpoints' own rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from tidings.store.endpoints import Condition, EndpointRecord, EndpointState, Pacing, Turn, no_endpoint, wrong_state
from tidings.store.scripts.line import CHUNK, OPEN, arrange, hold, release
from tidings.store.scripts.script import Rows, Script, ask, count, pieces, places

COLUMNS = (
    "id, config, starts_after, created, version, ordering, slots, reserved, rate, batch, linger, state, since, why, "
    "health, not_before, slowed_until, claimed_at, tokens, tokens_at, secrets"
)
ALONE = "endpoints: alone"
"""A lock, for a statement: nobody else adds, changes or removes one, and nobody is under way who reads them all."""
BESIDE = "endpoints: beside"
"""A lock, for a statement: until the transaction ends none is added, changed or removed."""
NOW = "SELECT tidings.now_us($1)"


def record_of(row: Sequence[Any]) -> EndpointRecord:
    """Return what a row of `COLUMNS` says."""
    id, config, starts_after, created, version, *rest, secrets = row
    ordering, slots, reserved, rate, batch, linger = rest[:6]
    state, since, why, health, not_before, slowed_until = rest[6:12]
    claimed_at, tokens, tokens_at = rest[12:]
    return EndpointRecord(
        id=id,
        config=config,
        starts_after=starts_after,
        created=created,
        version=version,
        pacing=Pacing(ordering=ordering, slots=slots, reserved=reserved, rate=rate, batch=batch, linger=linger),
        condition=Condition(
            state=state,
            since=since,
            why=why,
            health=health or b"",
            not_before=not_before,
            slowed_until=slowed_until,
        ),
        turn=Turn(claimed_at=claimed_at, tokens=tokens, tokens_at=tokens_at),
        secrets=secrets or b"",
    )


def _configured(endpoint: EndpointRecord) -> tuple[Any, ...]:
    pacing = endpoint.pacing
    told = (pacing.ordering, pacing.slots, pacing.reserved, pacing.rate, pacing.batch, pacing.linger)
    return endpoint.id, endpoint.config, *told, endpoint.secrets


def now_of(now: int | None) -> Script[int]:
    """Return what time it is; None: by the database."""
    [(at,)] = yield from ask(NOW, now)
    return int(at)


def add(endpoint: EndpointRecord) -> Script[bool]:
    yield from ask(ALONE)
    condition = endpoint.condition
    added = yield from count(
        "INSERT INTO tidings.endpoint (id, config, ordering, slots, reserved, rate, batch, linger, secrets, "
        "starts_after, created, state, since, why, health) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING RETURNING 1",
        *_configured(endpoint),
        *(endpoint.starts_after, endpoint.created, condition.state, condition.since),
        *(condition.why, bytes(condition.health)),
    )
    return added == 1


def change(endpoint: EndpointRecord, *, now: int | None) -> Script[EndpointRecord | None]:
    yield from ask(ALONE)
    before = yield from locked(endpoint.id)
    if before.version != endpoint.version:
        return None
    rows = yield from ask(
        "UPDATE tidings.endpoint SET version = version + 1, config = $2, ordering = $3, slots = $4, reserved = $5, "
        f"rate = $6, batch = $7, linger = $8, secrets = $9 WHERE id = $1 RETURNING {COLUMNS}",
        *_configured(endpoint),
    )
    after = record_of(rows[0])
    if after.pacing.ordering != before.pacing.ordering:
        yield from arrange(after, at=(yield from now_of(now)))
    return after


def remove(id: str, *, at: int) -> Script[int]:
    yield from ask(ALONE)
    yield from locked(id)
    cancelled = yield from count(
        "UPDATE tidings.delivery SET state = 'cancelled', reason = 'endpoint-removed', closed = $2, next_at = NULL, "
        "owner = NULL, until = NULL, held = NULL "
        f"WHERE endpoint = $1 AND {OPEN} RETURNING 1",
        id,
        at,
    )
    yield from ask("DELETE FROM tidings.endpoint WHERE id = $1 RETURNING 1", id)
    return cancelled


def find(id: str, *, lock: bool = False) -> Script[EndpointRecord | None]:
    rows = yield from ask(f"SELECT {COLUMNS} FROM tidings.endpoint WHERE id = $1{' FOR UPDATE' * lock}", id)
    return record_of(rows[0]) if rows else None


def locked(id: str) -> Script[EndpointRecord]:
    """Return it, and keep it as it is until the transaction ends; NotFoundError."""
    found = yield from find(id, lock=True)
    if found is None:
        raise no_endpoint(id)
    return found


def all_locked(ids: Collection[str]) -> Script[dict[str, EndpointRecord]]:
    """Return those of them that there are, in the order in which everybody locks them, as they stay until the end."""
    found: dict[str, EndpointRecord] = {}
    for piece in pieces(sorted(ids)):
        rows = yield from ask(
            f"SELECT {COLUMNS} FROM tidings.endpoint WHERE id IN ({places(1, len(piece))}) ORDER BY id FOR UPDATE",
            *piece,
        )
        found |= {each.id: each for each in map(record_of, rows)}
    return found


def listed(*, after: str | None, limit: int) -> Script[list[EndpointRecord]]:
    rows = yield from ask(
        f"SELECT {COLUMNS} FROM tidings.endpoint WHERE id > $1 ORDER BY id LIMIT $2", after or "", limit
    )
    return [record_of(row) for row in rows]


def every() -> Script[list[EndpointRecord]]:
    """Return all of them; until the transaction ends none is added, changed or removed."""
    yield from ask(BESIDE)
    rows: Rows = yield from ask(f"SELECT {COLUMNS} FROM tidings.endpoint ORDER BY id")
    return [record_of(row) for row in rows]


def write(id: str, condition: Condition) -> Script[EndpointRecord]:
    """Keep how it fares."""
    rows = yield from ask(
        "UPDATE tidings.endpoint SET state = $2, why = $3, health = $4, not_before = $5, slowed_until = $6, "
        f"since = $7 WHERE id = $1 RETURNING {COLUMNS}",
        *(id, condition.state, condition.why, bytes(condition.health)),
        *(condition.not_before, condition.slowed_until, condition.since),
    )
    return record_of(rows[0])


def fare(before: EndpointRecord, condition: Condition, *, at: int) -> Script[EndpointRecord]:
    """Keep how it fares now, and hold what is open, or let go of it, as far as one chunk goes."""
    after = yield from write(before.id, condition)
    if before.condition.is_sending and not condition.is_sending:
        yield from hold(after, at=at, limit=CHUNK)
    elif condition.is_sending and not before.condition.is_sending:
        yield from release(after, at=at, limit=CHUNK)
    return after


def pause(id: str, *, at: int, why: str, state: EndpointState, health: bytes | None) -> Script[EndpointRecord]:
    before = yield from locked(id)
    since = before.condition.since if before.condition.state == state else at
    kept = before.condition.health if health is None else health
    after = Condition(state=state, since=since, why=why, health=kept)
    return (yield from fare(before, after, at=at))


def resume(id: str, *, at: int, health: bytes) -> Script[EndpointRecord]:
    before = yield from locked(id)
    if before.condition.is_sending:
        raise wrong_state(id, before.condition.state, "paused or disabled")
    return (yield from fare(before, Condition(since=at, health=health), at=at))
