"""Scripts by which operators have deliveries made again, or no more: one by one, or those of an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidings.errors import RefusedError
from tidings.log.driver import Position
from tidings.store.deliveries import no_delivery, not_open, not_to_retry
from tidings.store.endpoint_deliveries import LISTED, Page, Range
from tidings.store.endpoints import EndpointRecord
from tidings.store.scripts import keeping, line
from tidings.store.scripts.script import Script, ask

_CANCELLED = (
    "UPDATE tidings.delivery SET state = 'cancelled', next_at = NULL, owner = NULL, until = NULL, held = NULL, "
    "reason = NULL, error = NULL, closed = $2 WHERE n = $1 AND state <> 'cancelled' RETURNING 1"
)
_CUT = "UPDATE tidings.attempt SET ended = $2, outcome = 'cancelled' WHERE delivery = $1 AND ended IS NULL RETURNING 1"
_ASKED = "SELECT n, state, endpoint, subject FROM tidings.delivery WHERE key = $1"
_FRESH = f"attempts = 0, failed = 0, closed = NULL, first_at = NULL, {line.ALONE}"


def _found(key: str) -> Script[tuple[Any, ...]]:
    """Return n, state, endpoint and subject, which stay until the transaction ends. NotFoundError."""
    rows = yield from ask(_ASKED, key)
    if rows and rows[0][2] is not None:
        yield from ask("SELECT id FROM tidings.endpoint WHERE id = $1 FOR UPDATE", rows[0][2])
    rows = yield from ask(f"{_ASKED} FOR UPDATE", key)
    if not rows:
        raise no_delivery(key)
    return rows[0]


def retry(key: str, *, at: int) -> Script[None]:
    """See `StoreDriver.retry_delivery`."""
    n, state, id, subject = yield from _found(key)
    if state == "due":
        yield from ask("UPDATE tidings.delivery SET next_at = $2 WHERE n = $1 AND next_at > $2 RETURNING 1", n, at)
        return
    if state != "dead":
        raise not_to_retry(key, state)
    if id is None:
        yield from ask(
            f"UPDATE tidings.delivery SET state = 'due', next_at = $2, {_FRESH} WHERE n = $1 RETURNING 1", n, at
        )
        return
    endpoint = yield from _endpoint(id)
    if endpoint.pacing.ordering == "key" and (yield from _has_dead_before(id, subject, n=n)):
        raise RefusedError(f"an earlier delivery of the subject of {key!r} is dead: retry or cancel that one first")
    yield from _reopen(endpoint, n, at=at)
    yield from line.rise(endpoint, subject, n=n, at=at)


def _endpoint(id: str) -> Script[EndpointRecord]:
    endpoint = yield from keeping.find(id, lock=True)
    if endpoint is None:
        raise RefusedError(f"the endpoint {id!r} is removed: there is nobody to deliver to")
    return endpoint


def _has_dead_before(id: str, subject: str | None, *, n: int) -> Script[bool]:
    rows = yield from ask(
        "SELECT 1 FROM tidings.delivery WHERE endpoint = $1 AND subject = $2 AND n < $3 AND state = 'dead' LIMIT 1",
        *(id, subject, n),
    )
    return bool(rows)


def _reopen(endpoint: EndpointRecord, n: int, *, at: int) -> Script[None]:
    state, held = ("behind", None) if endpoint.condition.is_sending else ("held", at)
    yield from ask(
        f"UPDATE tidings.delivery SET state = $2, held = $3, reason = NULL, {_FRESH} WHERE n = $1 RETURNING 1",
        *(n, state, held),
    )
    if endpoint.condition.is_sending:
        yield from line.step_back(endpoint)
        yield from line.fall_in(endpoint, first=n, last=n, at=at)


def acknowledge(key: str, *, now: int | None) -> Script[bool]:
    """See `Unit.acknowledge`."""
    at = yield from keeping.now_of(now)
    rows = yield from ask(_ASKED, key)
    endpoint = (yield from keeping.find(rows[0][2], lock=True)) if rows and rows[0][2] is not None else None
    if endpoint is None:
        return False
    rows = yield from ask(
        "UPDATE tidings.delivery SET state = 'delivered', reason = $3, error = NULL, closed = $2 WHERE key = $1 "
        "AND state = 'dead' RETURNING n, subject",
        *(key, at, LISTED),
    )
    for n, subject in rows if endpoint.pacing.ordering == "key" else ():
        yield from line.rise(endpoint, subject, n=n, at=at)
    return bool(rows)


def cancel(key: str, *, at: int) -> Script[bool]:
    """See `StoreDriver.cancel_delivery`."""
    n, state, id, subject = yield from _found(key)
    if state in ("delivered", "expired"):
        raise not_open(key, state)
    changed = yield from ask(_CANCELLED, n, at)
    if state == "leased":
        yield from ask(_CUT, n, at)
    endpoint = None if id is None else (yield from keeping.find(id, lock=True))
    if changed and endpoint is not None:
        if state == "dead" and endpoint.pacing.ordering == "key":
            yield from line.rise(endpoint, subject, n=n, at=at)
        elif endpoint.condition.is_sending:
            yield from line.go_on(endpoint, subject, at=at)
    return bool(changed)


def recover(id: str, within: Range, *, at: int, limit: int) -> Script[Page]:
    """See `EndpointStore.recover_endpoint`."""
    endpoint = yield from keeping.locked(id)
    rows = yield from ask(
        "SELECT n, subject, position FROM tidings.delivery WHERE endpoint = $1 AND state = 'dead' AND position > $2 "
        "AND position <= $3 ORDER BY position, n LIMIT $4",
        *(id, within.after, within.to, limit),
    )
    last = rows[-1][2] if len(rows) == limit else None
    if last is not None:  # all that stand at the last position, also of other runs: the next page begins behind it
        rows = yield from ask(
            "SELECT n, subject, position FROM tidings.delivery WHERE endpoint = $1 AND state = 'dead' "
            "AND position > $2 AND position <= $3 ORDER BY position, n",
            *(id, within.after, last),
        )
    recovered = 0
    for n, subject, _ in sorted(rows):
        if endpoint.pacing.ordering == "key" and (yield from _has_dead_before(id, subject, n=n)):
            continue
        yield from _reopen(endpoint, n, at=at)
        recovered += 1
    return Page(count=recovered, last=last)


def count_dead(id: str, within: Range) -> Script[int]:
    [(found,)] = yield from ask(
        "SELECT count(*) FROM tidings.delivery WHERE endpoint = $1 AND state = 'dead' AND position > $2 "
        "AND position <= $3",
        *(id, within.after, within.to),
    )
    return int(found)


def delivered(id: str, positions: Sequence[Position]) -> Script[frozenset[Position]]:
    """See `EndpointStore.delivered`."""
    if not positions:
        return frozenset()
    rows = yield from ask(
        "SELECT position FROM tidings.delivery WHERE endpoint = $1 AND position >= $2 AND position <= $3 "
        "AND state = 'delivered' AND closed >= (SELECT created FROM tidings.endpoint WHERE id = $1)",
        *(id, min(positions), max(positions)),
    )
    return frozenset(position for (position,) in rows) & frozenset(positions)
