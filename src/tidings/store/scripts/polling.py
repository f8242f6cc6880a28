"""Scripts for endpoints that are polled: what is due to one is read without being taken, and settled once it is."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, Result
from tidings.store.reason import readable
from tidings.store.scripts import keeping
from tidings.store.scripts.script import Script, ask
from tidings.store.scripts.settling import CLAIMED, claimed_of

_CLOSED = ("delivered", "dead", "expired")
PAGE = (
    f"SELECT {CLAIMED} FROM tidings.delivery WHERE endpoint = $1 AND state IN ('due', 'behind') "
    "AND coalesce(next_at, $2) <= $2 AND (expires IS NULL OR expires > $2) ORDER BY n LIMIT $3"
)


def page(id: str, *, now: int | None, limit: int) -> Script[list[ClaimedEndpointDelivery]]:
    """See `EndpointStore.polled`."""
    at = yield from keeping.now_of(now)
    rows = yield from ask(PAGE, id, at, limit)
    return [replace(each, attempt=each.attempt + 1) for each in map(claimed_of, rows)]


def settle(id: str, ended: Sequence[tuple[int, Result]], *, now: int | None) -> Script[int]:
    """See `EndpointStore.settle_polled`."""
    at = yield from keeping.now_of(now)
    endpoint = yield from keeping.locked(id)
    settled = 0
    for n, result in ended:
        error = readable(result.error)
        state = "held" if result.state == "due" and not endpoint.condition.is_sending else result.state
        rows = yield from ask(
            "UPDATE tidings.delivery SET state = $3, next_at = $4, reason = $5, error = $6, "
            "body_hash = coalesce(body_hash, $7), closed = $8, held = $9, attempts = attempts + $10, "
            "epoch = epoch + 1, first_at = coalesce(first_at, $11) "
            "WHERE n = $1 AND endpoint = $2 AND state IN ('due', 'behind', 'held') RETURNING epoch, attempts",
            *(n, id, state, result.next_at if state == "due" else None, result.reason, error),
            *(result.body_hash, at if state in _CLOSED else None, at if state == "held" else None),
            *(int(result.is_spent), at),
        )
        settled += len(rows)
        for epoch, number in rows if result.is_spent else ():
            yield from ask(
                "INSERT INTO tidings.attempt (delivery, epoch, number, began, ended, outcome, error, answer) "
                "VALUES ($1, $2, $3, $4, $4, $5, $6, $7) RETURNING 1",
                *(n, epoch, number, at, result.outcome, error, result.answer),
            )
    return settled
