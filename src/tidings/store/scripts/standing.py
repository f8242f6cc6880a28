"""Scripts that say how much of what is sent is open or dead, and where an entry was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidings.log.driver import Position
from tidings.store.deliveries import SHOWN
from tidings.store.endpoint_deliveries import COUNTED, Backlog, ClosedDelivery, ClosedPage, EndpointDelivery
from tidings.store.scripts import keeping
from tidings.store.scripts.line import OPEN
from tidings.store.scripts.script import Script, ask, pieces, places

# Said as a range, so that PostgreSQL does not walk an index of all endpoints' deliveries, in the hope to meet some of
# this one soon: it takes the partial index that has the same condition, and the endpoint as its first column.
_OF = "FROM tidings.delivery WHERE endpoint >= e.id AND endpoint <= e.id AND"


def _count(states: str) -> str:
    return f"(SELECT count(*) FROM (SELECT 1 {_OF} {states} LIMIT $3) AS counted)"


def _first(what: str, states: str, column: str) -> str:
    return f"(SELECT {what} {_OF} {states} ORDER BY endpoint, {column} LIMIT 1)"


BACKLOGS = "SELECT e.id, {} FROM tidings.endpoint e WHERE e.id >= $1 AND e.id <= $2".format(
    ", ".join(
        (
            *map(_count, ("state IN ('due', 'behind')", "state = 'leased'", "state = 'held'", "state = 'dead'")),
            _first("intended", OPEN, "n"),
            _first("next_at", "state = 'due' AND attempts = 0", "next_at"),
            _first("next_at", "state = 'due' AND attempts > 0", "next_at"),
        )
    )
)


def backlogs(first: str, last: str) -> Script[dict[str, Backlog]]:
    """See `EndpointStore.backlogs`."""
    found = yield from ask(BACKLOGS, first, last, COUNTED)
    return {
        id: Backlog(
            pending=min(waiting + leased, COUNTED),
            held=held,
            dead=dead,
            oldest=oldest,
            next_at=min((at for at in due if at is not None), default=None),
        )
        for id, waiting, leased, held, dead, oldest, *due in found
    }


def last_deliveries(id: str, *, limit: int) -> Script[Sequence[Mapping[str, Any]]]:
    """See `EndpointStore.last_deliveries`."""
    rows = yield from ask(
        f"SELECT {', '.join(SHOWN)} FROM tidings.delivery WHERE endpoint = $1 "
        "ORDER BY endpoint DESC, position DESC, run DESC LIMIT $2",
        *(id, limit),
    )
    return [dict(zip(SHOWN, row, strict=True)) for row in rows]


# Endpoint by endpoint, since the index of what an endpoint was sent begins with it: a cross join is not turned around.
OF_ENTRY = (
    f"SELECT {', '.join(f'd.{name}' for name in SHOWN)} FROM tidings.endpoint e CROSS JOIN tidings.delivery d "
    "WHERE d.endpoint = e.id AND d.position = $1 ORDER BY e.id, d.run LIMIT $2"
)


def deliveries_of(position: Position, *, limit: int) -> Script[Sequence[Mapping[str, Any]]]:
    """See `EndpointStore.deliveries_of`."""
    rows = yield from ask(OF_ENTRY, position, limit)
    return [dict(zip(SHOWN, row, strict=True)) for row in rows]


# Two questions, so that each is served by its partial index.
_CLOSED = (
    "SELECT endpoint, position, type, subject, pin, expires, run, n, state, closed, body_hash, batch "
    "FROM tidings.delivery WHERE endpoint = $1 AND state {} AND closed >= $2 AND (closed > $2 OR n > $3) "
    "ORDER BY closed, n LIMIT $4"
)


def closed(id: str, *, since: int, after: int, now: int | None, limit: int) -> Script[ClosedPage]:
    """See `EndpointStore.closed_deliveries`."""
    at = yield from keeping.now_of(now)
    rows = yield from ask(_CLOSED.format("<> 'dead'"), id, since, after, limit)
    rows += yield from ask(_CLOSED.format("= 'dead'"), id, since, after, limit)
    found = sorted(map(_closed_of, rows), key=lambda each: (each.closed, each.n))
    return ClosedPage(found[:limit], at)


def _closed_of(row: Sequence[Any]) -> ClosedDelivery:
    endpoint, position, type, subject, pin, expires, run, n, state, closed, body_hash, batch = row
    delivery = EndpointDelivery(
        endpoint=endpoint, position=position, type=type, subject=subject, pin=pin, expires=expires, run=run
    )
    hash = None if body_hash is None else bytes(body_hash)
    return ClosedDelivery(delivery=delivery, n=n, state=state, closed=closed, body_hash=hash, batch=batch)


def open_among(keys: Sequence[str]) -> Script[frozenset[str]]:
    """See `Unit.open_deliveries`."""
    found: set[str] = set()
    for piece in pieces(sorted(set(keys))):
        rows = yield from ask(
            f"SELECT key FROM tidings.delivery WHERE key IN ({places(1, len(piece))}) AND {OPEN}", *piece
        )
        found.update(key for (key,) in rows)
    return frozenset(found)
