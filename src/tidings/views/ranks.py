"""What orders events within a row. Pure.

An event's rank is (at, settled, hash): `at` is the member the view names, or the event's own time, or for an event
without one when it was recorded; equal ones are told apart by the hash of the event's identity, the same everywhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tidings.events.envelope import Entry
from tidings.events.identity import identity_key
from tidings.events.timestamp import time_us
from tidings.store.rows import Rank
from tidings.views.columns import integer, microseconds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_rank(entry: Entry) -> int:
    """Return the event's time in microseconds since 1970, or when it was recorded if it has none."""
    time = entry.envelope.time
    if time is None:
        return entry.recorded
    try:
        # What is in the log is a valid time, so the interpreter's own parser need not be watched, only asked first.
        past = datetime.fromisoformat(time) - _EPOCH
    except (ValueError, TypeError):
        return time_us(time)
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds


def member_rank(value: Any) -> int:
    """Return the number that a rank member stands for: itself, or a datetime's microseconds since 1970.

    TypeError, ValueError or OverflowError if it is something else, has no offset, or needs more than 64 bits.
    """
    return microseconds(value) if isinstance(value, datetime) else integer(value)


def is_above(at: int, source: str, id: str, rank: Rank) -> bool:
    """Say whether an event comes after a row's last one. The row's `kind` takes no part: it is an outcome, no event."""
    if at != rank.at:
        return at > rank.at
    return (0, identity_key(source, id)) > (rank.settled, rank.hash)
