"""Scripts that put right what time or a crash left of deliveries to endpoints: a chunk each."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.store.endpoint_deliveries import STALE
from tidings.store.scripts import keeping, line
from tidings.store.scripts.script import Rows, Script, ask

_WAITING = "('due', 'behind', 'held')"


def expire(*, now: int | None, limit: int) -> Script[int]:
    """Close what must not be sent any more."""
    at = yield from keeping.now_of(now)
    rows = yield from ask(
        f"SELECT n, endpoint, subject FROM tidings.delivery WHERE expires <= $1 AND state IN {_WAITING} "
        "ORDER BY expires LIMIT $2",
        *(at, limit),
    )
    return (yield from _close(rows, "expired", None, at=at))


def go_stale(*, stale: int, now: int | None, limit: int) -> Script[int]:
    """Give up what was held for longer than so many µs."""
    at = yield from keeping.now_of(now)
    rows = yield from ask(
        "SELECT n, endpoint, subject FROM tidings.delivery WHERE state = 'held' AND held < $1 ORDER BY held LIMIT $2",
        *(at - stale, limit),
    )
    return (yield from _close(rows, "dead", STALE, at=at))


def _close(rows: Rows, state: str, reason: str | None, *, at: int) -> Script[int]:
    closed = 0
    for n, id, subject in sorted(rows, key=lambda row: (row[1], row[0])):
        endpoint = yield from keeping.find(id, lock=True)
        changed = yield from ask(
            "UPDATE tidings.delivery SET state = $2, reason = coalesce($3, reason), closed = $4, next_at = NULL, "
            f"held = NULL WHERE n = $1 AND state IN {_WAITING} RETURNING 1",
            *(n, state, reason, at),
        )
        closed += len(changed)
        if changed and endpoint is not None and endpoint.condition.is_sending and state == "expired":
            yield from line.go_on(endpoint, subject, at=at)
    return closed


def promote(*, after: int, now: int | None, limit: int) -> Script[tuple[int, int]]:
    """Make due what is behind nothing, though that should not be; return how many, and what to begin after next."""
    at = yield from keeping.now_of(now)
    rows = yield from ask(
        "SELECT n, endpoint FROM tidings.delivery WHERE state = 'behind' AND n > $1 ORDER BY n LIMIT $2",
        *(after, limit),
    )
    promoted = 0
    for id in sorted({id for _, id in rows}):
        endpoint = yield from keeping.find(id, lock=True)
        of = [n for n, other in rows if other == id]
        if endpoint is not None and endpoint.condition.is_sending:
            promoted += yield from line.fall_in(endpoint, first=of[0], last=of[-1], at=at)
    return promoted, rows[-1][0] if len(rows) == limit else 0


def unarranged() -> Script[list[str]]:
    """Return the endpoints whose state has changed since something of them was held, or let go of."""
    rows = yield from ask(
        "SELECT id FROM tidings.endpoint e WHERE CASE WHEN state IN ('active', 'degraded') "
        "THEN (SELECT 1 FROM tidings.delivery d WHERE d.endpoint = e.id AND d.state = 'held' "
        "AND coalesce(d.reason, '') <> 'version-unreadable' ORDER BY d.n LIMIT 1) "
        "ELSE (SELECT 1 FROM tidings.delivery d WHERE d.endpoint = e.id AND d.state IN ('due', 'behind') "
        "ORDER BY d.n LIMIT 1) END IS NOT NULL "
        "ORDER BY id"
    )
    return [id for (id,) in rows]


def arrange(ids: Sequence[str], *, now: int | None, limit: int) -> Script[int]:
    """See `EndpointStore.arrange_endpoint_deliveries`."""
    at = yield from keeping.now_of(now)
    arranged = 0
    for id in ids:
        endpoint = yield from keeping.find(id, lock=True)
        if endpoint is not None and endpoint.condition.is_sending:
            arranged += yield from line.release(endpoint, at=at, limit=limit)
        elif endpoint is not None:
            arranged += yield from line.hold(endpoint, at=at, limit=limit)
    return arranged
