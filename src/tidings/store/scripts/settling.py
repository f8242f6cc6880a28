"""Scripts that write what became of attempts to send to endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from tidings.store.endpoint_deliveries import (
    LOST,
    ClaimedEndpointDelivery,
    Decide,
    EndpointDelivery,
    Result,
    Settled,
    fenced,
)
from tidings.store.endpoints import Condition, EndpointRecord
from tidings.store.ladder import TRIES
from tidings.store.scripts import keeping, line
from tidings.store.scripts.script import Script, ask

CLAIMED = "n, endpoint, position, run, subject, type, pin, expires, attempts, epoch, body_hash, batch"
HEAD_DIED = "fifo-head-dead"
_CLOSED = ("delivered", "dead", "expired")
_LOST = Result(
    state="dead",
    outcome=LOST,
    reason=LOST,
    error="nobody said how the attempt ended: its process did, or it took longer than its lease",
)


def claimed_of(row: Sequence[Any]) -> ClaimedEndpointDelivery:
    """Return what a row of `CLAIMED` says."""
    n, endpoint, position, run, subject, type, pin, expires, attempt, epoch, body_hash, batch = row
    delivery = EndpointDelivery(
        endpoint=endpoint, position=position, type=type, subject=subject, pin=pin, expires=expires, run=run
    )
    return ClaimedEndpointDelivery(
        delivery=delivery, n=n, attempt=attempt, epoch=epoch, body_hash=body_hash, batch=batch
    )


def settle(claimed: Sequence[ClaimedEndpointDelivery], decide: Decide, *, now: int | None) -> Script[Settled]:
    """See `EndpointStore.settle_endpoint_deliveries`."""
    [settled] = yield from settle_each([(claimed, decide)], now=now)
    return settled


def settle_each(
    ended: Sequence[tuple[Sequence[ClaimedEndpointDelivery], Decide]], *, now: int | None
) -> Script[list[Settled]]:
    """See `Unit.settle_each`. The row of an endpoint is read and written once for all attempts side by side."""
    at = yield from keeping.now_of(now)
    settled = []
    for id, group in groupby(ended, key=lambda each: each[0][0].delivery.endpoint):
        attempts = list(group)
        kept = known = yield from _endpoint(id, attempts)
        for claimed, decide in attempts:
            so = yield from _settle(known, claimed, decide, at=at)
            settled.append(so)
            if so.after.condition.is_sending != known.condition.is_sending:
                kept = yield from keeping.fare(known, so.after.condition, at=at)
            known = so.after
            if so.result.state in _CLOSED:
                yield from _go_on(known, claimed, so.result, at=at)
        if known.condition != kept.condition:
            yield from keeping.write(id, known.condition)
    return settled


def _endpoint(id: str, attempts: Sequence[tuple[Sequence[ClaimedEndpointDelivery], Decide]]) -> Script[EndpointRecord]:
    found = yield from keeping.find(id, lock=True)
    strange = [claimed for claimed, _ in attempts if any(each.delivery.endpoint != id for each in claimed)]
    if found is None or strange:
        raise fenced((strange or [attempts[0][0]])[0][0].delivery.key)
    return found


def _settle(
    before: EndpointRecord, claimed: Sequence[ClaimedEndpointDelivery], decide: Decide, *, at: int
) -> Script[Settled]:
    """Write what becomes of the deliveries; the endpoint is left to be written."""
    result = _fitted(decide(before), before)
    condition = result.condition or before.condition
    for each in claimed:
        yield from _write(each, result, condition, at=at)
    return Settled(before=before, after=replace(before, condition=condition), result=result)


def _go_on(
    endpoint: EndpointRecord, claimed: Sequence[ClaimedEndpointDelivery], result: Result, *, at: int
) -> Script[None]:
    """Do what follows for those behind."""
    for each in claimed:
        if result.state == "dead":
            yield from line.follow(endpoint, each.delivery.subject, n=each.n, at=at)
        if endpoint.condition.is_sending:
            yield from line.go_on(endpoint, each.delivery.subject, at=at)


def _fitted(result: Result, endpoint: EndpointRecord) -> Result:
    """Return the result with the endpoint paused if the head of all that is sent to it has died."""
    condition = result.condition or endpoint.condition
    if result.state == "dead" and endpoint.pacing.ordering == "fifo" and condition.is_sending:
        return replace(result, condition=replace(condition, state="paused", why=HEAD_DIED))
    return result


def _write(claimed: ClaimedEndpointDelivery, result: Result, condition: Condition, *, at: int) -> Script[None]:
    state = "held" if result.state == "due" and not condition.is_sending else result.state
    unspent = 0 if result.is_spent else 1
    is_new = not result.is_spent and claimed.attempt == 1
    rows = yield from ask(
        "UPDATE tidings.delivery SET state = $3, next_at = $4, reason = $5, error = $6, "
        "body_hash = coalesce(body_hash, $7), closed = $8, held = $9, attempts = attempts - $10, "
        f"{'batch = NULL, first_at = NULL, ' * is_new}owner = NULL, until = NULL "
        "WHERE n = $1 AND epoch = $2 AND state = 'leased' RETURNING n",
        *(claimed.n, claimed.epoch, state, result.next_at if state == "due" else None, result.reason),
        *(_readable(result.error), result.body_hash, at if state in _CLOSED else None),
        *(at if state == "held" else None, unspent),
    )
    if not rows:
        raise fenced(claimed.delivery.key)
    if result.is_spent:
        yield from ask(
            "UPDATE tidings.attempt SET ended = $3, outcome = $4, error = $5, answer = $6 "
            "WHERE delivery = $1 AND epoch = $2 RETURNING 1",
            *(claimed.n, claimed.epoch, at, result.outcome, _readable(result.error), result.answer),
        )
    else:
        yield from ask(
            "DELETE FROM tidings.attempt WHERE delivery = $1 AND epoch = $2 RETURNING 1", claimed.n, claimed.epoch
        )


def _readable(text: str | None) -> str | None:
    """Return the text without what a database cannot hold: an error may quote anything."""
    return None if text is None else text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def holders(*, now: int | None) -> Script[tuple[list[str], list[str]]]:
    """Return who holds deliveries to endpoints: those of whom a lease ran out, and the others."""
    at = yield from keeping.now_of(now)
    rows = yield from ask(
        "SELECT owner, min(until) FROM tidings.delivery WHERE state = 'leased' AND endpoint IS NOT NULL GROUP BY owner"
    )
    late = [owner for owner, until in rows if until <= at]
    return late, [owner for owner, until in rows if until > at]


def lose(gone: Sequence[str], *, now: int | None, limit: int) -> Script[int]:
    """Close leases that ran out, and those of owners who are gone, as attempts that are lost; say how many."""
    at = yield from keeping.now_of(now)
    found = yield from ask(
        f"SELECT {CLAIMED} FROM tidings.delivery WHERE state = 'leased' AND endpoint IS NOT NULL AND until <= $1 "
        "ORDER BY until LIMIT $2",
        at,
        limit,
    )
    for owner in gone:
        found += yield from ask(
            f"SELECT {CLAIMED} FROM tidings.delivery WHERE state = 'leased' AND endpoint IS NOT NULL AND owner = $1 "
            "AND until > $2 LIMIT $3",
            *(owner, at, limit),
        )
    lost = 0
    for each in sorted(map(claimed_of, found), key=lambda each: (each.delivery.endpoint, each.n)):
        if (yield from _is_leased(each)):
            yield from settle([each], lambda endpoint: _what_follows(each, at), now=at)  # noqa: B023 - asked at once
            lost += 1
    return lost


def _is_leased(claimed: ClaimedEndpointDelivery) -> Script[bool]:
    """Say whether it is still so, once its endpoint cannot change."""
    yield from ask("SELECT id FROM tidings.endpoint WHERE id = $1 FOR UPDATE", claimed.delivery.endpoint)
    held = "SELECT n FROM tidings.delivery WHERE n = $1 AND epoch = $2 AND state = 'leased' FOR UPDATE"
    return bool((yield from ask(held, claimed.n, claimed.epoch)))


def _what_follows(claimed: ClaimedEndpointDelivery, at: int) -> Result:
    return _LOST if claimed.attempt >= TRIES else replace(_LOST, state="due", next_at=at)
