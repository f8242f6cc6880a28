"""Scripts about what is held though its endpoint is not paused: no step led to its pin where it was to be sent."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.store.endpoint_deliveries import EndpointDelivery, UnreadableDelivery
from tidings.store.scripts import keeping, line
from tidings.store.scripts.script import Script, ask, pieces, places

_HELD = "state = 'held' AND reason = 'version-unreadable'"


def unreadable(*, after: int, limit: int) -> Script[list[UnreadableDelivery]]:
    """See `EndpointStore.unreadable`."""
    rows = yield from ask(
        f"SELECT n, endpoint, position, run, subject, type, pin FROM tidings.delivery WHERE {_HELD} AND n > $1 "
        "ORDER BY n LIMIT $2",
        *(after, limit),
    )
    found = []
    for n, endpoint, position, run, subject, type, pin in rows:
        delivery = EndpointDelivery(endpoint=endpoint, position=position, run=run, subject=subject, type=type, pin=pin)
        found.append(UnreadableDelivery(n=n, delivery=delivery))
    return found


def release_unreadable(numbers: Sequence[int], *, at: int) -> Script[int]:
    """See `EndpointStore.release_unreadable`."""
    of: dict[str, list[int]] = {}
    for piece in pieces(sorted(numbers)):
        rows = yield from ask(
            f"SELECT n, endpoint FROM tidings.delivery WHERE n IN ({places(1, len(piece))}) ORDER BY n", *piece
        )
        for n, id in rows:
            of.setdefault(id, []).append(n)
    released = 0
    for id, endpoint in (yield from keeping.all_locked(of)).items():
        if endpoint.condition.is_sending:
            released += yield from _release(of[id])
            yield from line.fall_in(endpoint, first=of[id][0], last=of[id][-1], at=at)
    return released


def _release(numbers: Sequence[int]) -> Script[int]:
    released = 0
    for piece in pieces(numbers):
        rows = yield from ask(
            "UPDATE tidings.delivery SET state = 'behind', reason = NULL, error = NULL, held = NULL, next_at = NULL "
            f"WHERE n IN ({places(1, len(piece))}) AND {_HELD} RETURNING n",
            *piece,
        )
        released += len(rows)
    return released
