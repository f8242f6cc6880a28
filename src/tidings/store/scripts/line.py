"""Scripts about which delivery may go: the line in which those of one subject stand, or of a whole endpoint.

The line goes by the order in which they were added. Only its head is `due`, those after it are `behind`, or `held`
with it. Who changes a line holds the endpoint's row.
"""

from __future__ import annotations

from tidings.store.endpoint_deliveries import FOLLOWS, UNREADABLE
from tidings.store.endpoints import EndpointRecord
from tidings.store.scripts.script import Script, ask, count

CHUNK = 1_000
OPEN = "closed IS NULL"
"""Said by the time and not by the state, which a claim changes: it leaves the indexes of what is open alone."""
_SUBJECT = f"e.endpoint = d.endpoint AND e.subject = d.subject AND e.n < d.n AND e.{OPEN}"
_ALL = f"e.endpoint = d.endpoint AND e.n < d.n AND e.{OPEN}"
_EARLIER = {
    "key": f"(SELECT 1 FROM tidings.delivery e WHERE {_SUBJECT} ORDER BY e.n LIMIT 1) IS NOT NULL",
    "fifo": f"(SELECT 1 FROM tidings.delivery e WHERE {_ALL} ORDER BY e.n LIMIT 1) IS NOT NULL",
}
LAST = (1 << 63) - 1
ALONE = "body_hash = CASE WHEN batch IS NULL THEN body_hash END, batch = NULL"
"""Who is dead no more is in no batch: under its old name fewer would go, or others, which its receiver has not seen."""


def fall_in(endpoint: EndpointRecord, *, first: int, last: int, at: int) -> Script[int]:
    """Find the place of those between these numbers that are `behind`: at the head they are due; say how many are.

    Under `key` one whose subject has a dead one before it is dead, too.
    """
    if endpoint.pacing.ordering == "none":
        among = "endpoint = $1 AND state = 'behind' AND n >= $2 AND n <= $3"
        return (
            yield from count(
                f"UPDATE tidings.delivery SET state = 'due', next_at = $4 WHERE {among} RETURNING 1",
                *(endpoint.id, first, last, at),
            )
        )
    if endpoint.pacing.ordering == "key":
        yield from ask(
            "UPDATE tidings.delivery AS d SET state = 'dead', reason = $4, closed = $5, next_at = NULL "
            "WHERE endpoint = $1 AND state = 'behind' AND n >= $2 AND n <= $3 AND (SELECT 1 FROM "
            "tidings.delivery e WHERE e.endpoint = d.endpoint AND e.subject = d.subject AND e.n < d.n "
            "AND e.state = 'dead' ORDER BY e.n LIMIT 1) IS NOT NULL RETURNING 1",
            *(endpoint.id, first, last, FOLLOWS, at),
        )
    return (
        yield from count(
            "UPDATE tidings.delivery AS d SET state = 'due', next_at = $4 WHERE endpoint = $1 AND state = 'behind' "
            f"AND n >= $2 AND n <= $3 AND NOT ({_EARLIER[endpoint.pacing.ordering]}) RETURNING 1",
            *(endpoint.id, first, last, at),
        )
    )


def arrange(endpoint: EndpointRecord, *, at: int) -> Script[None]:
    """Put what waits in line anew, since the endpoint has another ordering than when it was added."""
    if endpoint.pacing.ordering != "none":
        yield from ask(
            "UPDATE tidings.delivery AS d SET state = 'behind', next_at = NULL WHERE endpoint = $1 AND state = 'due' "
            f"AND {_EARLIER[endpoint.pacing.ordering]} RETURNING 1",
            endpoint.id,
        )
    yield from fall_in(endpoint, first=0, last=LAST, at=at)


def hold(endpoint: EndpointRecord, *, at: int, limit: int) -> Script[int]:
    """Hold what waits, in order; say how many were not held before."""
    return (
        yield from count(
            "UPDATE tidings.delivery SET state = 'held', held = $2 WHERE n IN (SELECT n FROM tidings.delivery "
            "WHERE endpoint = $1 AND state IN ('due', 'behind') ORDER BY n LIMIT $3) RETURNING 1",
            *(endpoint.id, at, limit),
        )
    )


def release(endpoint: EndpointRecord, *, at: int, limit: int) -> Script[int]:
    """Let go of what is held, in order, but for what could not be told in its version; say how many."""
    rows = yield from ask(
        "SELECT n FROM tidings.delivery WHERE endpoint = $1 AND state = 'held' AND coalesce(reason, '') <> $3 "
        "ORDER BY n LIMIT $2",
        *(endpoint.id, limit, UNREADABLE),
    )
    if not rows:
        return 0
    first, last = rows[0][0], rows[-1][0]
    yield from ask(
        "UPDATE tidings.delivery SET state = 'behind', held = NULL, next_at = NULL WHERE endpoint = $1 "
        "AND state = 'held' AND n >= $2 AND n <= $3 AND coalesce(reason, '') <> $4 RETURNING 1",
        *(endpoint.id, first, last, UNREADABLE),
    )
    yield from fall_in(endpoint, first=first, last=last, at=at)
    return len(rows)


def go_on(endpoint: EndpointRecord, subject: str | None, *, at: int) -> Script[None]:
    """Make the head of a line due, if it is behind: the one before it has closed."""
    if endpoint.pacing.ordering == "none" or (endpoint.pacing.ordering == "key" and subject is None):
        return
    named = " AND subject = $2" if endpoint.pacing.ordering == "key" else ""
    held = (endpoint.id, subject) if named else (endpoint.id,)
    rows = yield from ask(
        f"SELECT n, state FROM tidings.delivery WHERE endpoint = $1{named} AND {OPEN} ORDER BY n LIMIT 1",
        *held,
    )
    if rows and rows[0][1] == "behind":
        yield from ask(
            "UPDATE tidings.delivery SET state = 'due', next_at = $2 WHERE n = $1 AND state = 'behind' RETURNING 1",
            rows[0][0],
            at,
        )


def step_back(endpoint: EndpointRecord) -> Script[None]:
    """Under `fifo`, put what is due behind one that is dead no more: the endpoint was resumed without it."""
    if endpoint.pacing.ordering == "fifo":
        yield from ask(
            "UPDATE tidings.delivery AS d SET state = 'behind', next_at = NULL WHERE endpoint = $1 AND state = 'due' "
            f"AND {_EARLIER['fifo']} RETURNING 1",
            endpoint.id,
        )


def follow(endpoint: EndpointRecord, subject: str | None, *, n: int, at: int) -> Script[int]:
    """Have those behind a dead one be dead with it, in order; say how many they are."""
    if endpoint.pacing.ordering != "key" or subject is None:
        return 0
    return (
        yield from count(
            "UPDATE tidings.delivery SET state = 'dead', reason = $4, closed = $5, next_at = NULL, held = NULL "
            f"WHERE endpoint = $1 AND subject = $2 AND n > $3 AND {OPEN} AND state <> 'leased' RETURNING 1",
            *(endpoint.id, subject, n, FOLLOWS, at),
        )
    )


def rise(endpoint: EndpointRecord, subject: str | None, *, n: int, at: int) -> Script[None]:
    """Have those go on that were dead because of this one alone, which is dead no more."""
    if subject is None:
        return
    dead = "endpoint = $1 AND subject = $2 AND state = 'dead'"
    if (yield from ask(f"SELECT 1 FROM tidings.delivery WHERE {dead} AND n < $3 LIMIT 1", endpoint.id, subject, n)):
        return
    [(end,)] = yield from ask(
        f"SELECT min(n) FROM tidings.delivery WHERE {dead} AND n > $3 AND reason <> $4",
        *(endpoint.id, subject, n, FOLLOWS),
    )
    end = LAST if end is None else end
    state, held = ("behind", None) if endpoint.condition.is_sending else ("held", at)
    yield from ask(
        f"UPDATE tidings.delivery SET state = $5, held = $6, reason = NULL, closed = NULL, {ALONE} "
        f"WHERE {dead} AND n > $3 AND n < $4 RETURNING 1",
        *(endpoint.id, subject, n, end, state, held),
    )
    if endpoint.condition.is_sending:
        yield from fall_in(endpoint, first=n, last=end, at=at)
