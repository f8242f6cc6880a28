"""Scripts that write what became of attempts to send to endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from msgspec.structs import replace

from tidings.store.endpoint_deliveries import (
    LOST,
    ClaimedEndpointDelivery,
    Decide,
    Ended,
    Ending,
    EndpointDelivery,
    Result,
    Settled,
    Untold,
    fenced,
)
from tidings.store.endpoints import EndpointRecord
from tidings.store.ladder import TRIES
from tidings.store.reason import readable
from tidings.store.scripts import keeping, line
from tidings.store.scripts.script import CHANGED, Columns, Script, ask, chunks, count, from_table, pieces, places

CLAIMED = "n, endpoint, position, run, subject, type, pin, expires, attempts, epoch, batch, body_hash"
HEAD_DIED = "fifo-head-dead"
_CLOSED = ("delivered", "dead", "expired", "cancelled")
_DELIVERY: Columns = (("n", "bigint"), ("epoch", "bigint"), ("body_hash", "bytea"))
_DUE: Columns = (*_DELIVERY, ("next_at", "bigint"))
_WRITE = (
    "UPDATE tidings.delivery AS d SET state = $1, closed = $2, held = $3, reason = $4, error = $5, "
    "attempts = d.attempts - $6::int, first_at = CASE WHEN d.attempts > $6::int THEN d.first_at END, "
    "batch = CASE $7::int WHEN 1 THEN NULL ELSE d.batch END, owner = NULL, until = NULL, "
    "next_at = {next_at}, body_hash = coalesce(d.body_hash, {body_hash}) "
    f"FROM {{table}} WHERE d.n = {{n}} AND d.epoch = {{epoch}} AND d.state = 'leased'{CHANGED}"
)
_WRITE_NO_MORE = _WRITE.replace("{next_at}", "NULL")
_ATTEMPT: Columns = (("delivery", "bigint"), ("epoch", "bigint"), ("answer", "bytea"))
_END = (
    "UPDATE tidings.attempt AS a SET ended = $1, outcome = $2, error = $3, answer = {answer} "
    "FROM {table} WHERE a.delivery = {delivery} AND a.epoch = {epoch}"
)
_STILL = "SELECT n, epoch FROM tidings.delivery WHERE n IN ({}) AND state = 'leased' FOR UPDATE"
_LOST = Result(
    state="dead",
    outcome=LOST,
    reason=LOST,
    error="nobody said how the attempt ended: its process did, or it took longer than its lease",
)


def claimed_of(row: Sequence[Any]) -> ClaimedEndpointDelivery:
    """Return what a row of `CLAIMED` says."""
    n, endpoint, position, run, subject, type, pin, expires, attempt, epoch, batch, body_hash = row
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


def settle_each(ended: Sequence[Ended], *, now: int | None) -> Script[list[Settled]]:
    """See `Unit.settle_each`. Rows of endpoints are read and written once, whatever the number of their attempts."""
    at = yield from keeping.now_of(now)
    before = yield from _endpoints(ended)
    ended = yield from _without_cancelled(ended)
    settled, after = _decided(ended, before, at=at)
    yield from _write(ended, settled, at=at)
    for id, endpoint in after.items():
        if endpoint.condition.is_sending != before[id].condition.is_sending:
            yield from keeping.fare(before[id], endpoint.condition, at=at)
        elif endpoint.condition != before[id].condition:
            yield from keeping.write(id, endpoint.condition)
    for (claimed, _), so in zip(ended, settled, strict=True):
        if so.result.state in _CLOSED and so.after.pacing.ordering != "none":
            yield from _go_on(after[so.after.id], claimed, so.result, at=at)
        elif so.result.state == "due":
            yield from line.step_back(after[so.after.id])
    return settled


def settle_untold(ending: Ending, *, now: int | None) -> Script[list[Settled]]:
    """As `settle_each`; Untold, so that nothing is kept, if something is to be told of it."""
    settled = yield from settle_each(ending.ended, now=now)
    if ending.is_told(settled):
        raise Untold
    return settled


def _endpoints(ended: Sequence[Ended]) -> Script[dict[str, EndpointRecord]]:
    found = yield from keeping.all_locked({claimed[0].delivery.endpoint for claimed, _ in ended})
    for claimed, _ in ended:
        id = claimed[0].delivery.endpoint
        if id not in found or any(each.delivery.endpoint != id for each in claimed):
            raise fenced(claimed[0].delivery.key)
    return found


def _without_cancelled(ended: Sequence[Ended]) -> Script[Sequence[Ended]]:
    """Return what has ended without those of a batch that are its owner's no more; a batch of which none is, whole."""
    batches = [claimed for claimed, _ in ended if len(claimed) > 1]
    if not batches:
        return ended
    held = {(each.n, each.epoch) for each in (yield from _still_leased([*chain.from_iterable(batches)]))}
    left = [[each for each in claimed if (each.n, each.epoch) in held] for claimed, _ in ended]
    return [(some or claimed, decide) for (claimed, decide), some in zip(ended, left, strict=True)]


def _decided(
    ended: Sequence[Ended], endpoints: Mapping[str, EndpointRecord], *, at: int
) -> tuple[list[Settled], Mapping[str, EndpointRecord]]:
    """Return what each attempt came to, asked one after the other, and how the endpoints fare after all of them."""
    known, settled = dict(endpoints), []
    for claimed, decide in ended:
        before = known[claimed[0].delivery.endpoint]
        result = _fitted(decide(before), before, at=at)
        after = before if result.condition is None else replace(before, condition=result.condition)
        settled.append(Settled(before=before, after=after, result=result))
        known[after.id] = after
    return settled, known


def _go_on(
    endpoint: EndpointRecord, claimed: Sequence[ClaimedEndpointDelivery], result: Result, *, at: int
) -> Script[None]:
    """Do what follows for those behind."""
    for each in claimed:
        if result.state == "dead":
            yield from line.follow(endpoint, each.delivery.subject, n=each.n, at=at)
        if endpoint.condition.is_sending:
            yield from line.go_on(endpoint, each.delivery.subject, at=at)


def _fitted(result: Result, endpoint: EndpointRecord, *, at: int) -> Result:
    """Return the result with the endpoint paused if the head of all that is sent to it has died."""
    condition = result.condition or endpoint.condition
    if result.state == "dead" and endpoint.pacing.ordering == "fifo" and condition.is_sending:
        return replace(result, condition=replace(condition, state="paused", since=at, why=HEAD_DIED))
    return result


def _write(ended: Sequence[Ended], settled: Sequence[Settled], *, at: int) -> Script[None]:
    """Write what becomes of the deliveries and of their attempts; the endpoints are left to be written."""
    alike: dict[tuple[Any, ...], list[tuple[ClaimedEndpointDelivery, Result]]] = {}
    for (claimed, _), so in zip(ended, settled, strict=True):
        for each in claimed:
            alike.setdefault(_said_of(each, so, at=at), []).append((each, so.result))
    for (outcome, *said), pairs in alike.items():
        for some in chunks(pairs):
            yield from _write_alike(said, outcome, some, at=at)


def _said_of(claimed: ClaimedEndpointDelivery, so: Settled, *, at: int) -> tuple[Any, ...]:
    """Return the attempt's outcome, and the first values of `_WRITE`: of most attempts they are the same."""
    result = so.result
    state = "held" if result.state == "due" and not so.after.condition.is_sending else result.state
    times = (at if state in _CLOSED else None, at if state == "held" else None)
    alone = int(result.leaves or (claimed.attempt == 1 and not result.is_spent))
    why = (result.reason, readable(result.error))
    return result.outcome, state, *times, *why, 0 if result.is_spent else 1, alone


def _write_alike(
    said: Sequence[Any], outcome: str, some: Sequence[tuple[ClaimedEndpointDelivery, Result]], *, at: int
) -> Script[None]:
    """Write what became of deliveries of which the same is said, and of their attempts."""
    state, error, unspent = said[0], said[4], said[5]
    if state == "due":
        due = [(each.n, each.epoch, result.body_hash, result.next_at) for each, result in some]
        written = _in_table(_WRITE, _DUE, said, due)
    else:
        rows = [(each.n, each.epoch, result.body_hash) for each, result in some]
        written = _in_table(_WRITE_NO_MORE, _DELIVERY, said, rows)
    if (yield from count(*written)) < len(some):
        raise fenced(some[0][0].delivery.key)
    if not unspent:
        seen = [(each.n, each.epoch, result.answer) for each, result in some]
        yield from ask(*_in_table(_END, _ATTEMPT, (at, outcome, error), seen))
        return
    for each, _ in some:
        yield from ask("DELETE FROM tidings.attempt WHERE delivery = $1 AND epoch = $2", each.n, each.epoch)


def _in_table(
    statement: str, columns: Columns, said: Sequence[Any], rows: Sequence[tuple[Any, ...]]
) -> tuple[Any, ...]:
    [filled] = pieces(rows)
    text = from_table(statement, columns, len(filled), first=len(said) + 1)
    return text, *said, *chain.from_iterable(filled)


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
    leased = yield from _still_leased(sorted(map(claimed_of, found), key=lambda each: each.n))
    yield from settle_each([([each], partial(_what_follows, each, at)) for each in leased], now=at)
    return len(leased)


def _still_leased(claimed: Sequence[ClaimedEndpointDelivery]) -> Script[list[ClaimedEndpointDelivery]]:
    """Return those of which that is still so, once their endpoints cannot change."""
    yield from keeping.all_locked({each.delivery.endpoint for each in claimed})
    held: set[tuple[Any, ...]] = set()
    for piece in pieces([each.n for each in claimed]):
        held |= {*(yield from ask(_STILL.format(places(1, len(piece))), *piece))}
    return [each for each in claimed if (each.n, each.epoch) in held]


def _what_follows(claimed: ClaimedEndpointDelivery, at: int, endpoint: EndpointRecord) -> Result:
    return _LOST if claimed.attempt >= TRIES else replace(_LOST, state="due", next_at=at)
