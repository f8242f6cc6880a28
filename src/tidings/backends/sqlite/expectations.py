"""What a writer saw must still hold when its write is judged: inside the transaction, so nobody can come between."""

from __future__ import annotations

import sqlite3

from tidings.backends.sqlite import reading
from tidings.errors import Conflict
from tidings.log.driver import Condition, Position, Write


def violated(connection: sqlite3.Connection, write: Write) -> Conflict | None:
    """Return what stands against the write's expectations and its condition; None if they hold."""
    for subject, after in write.expected.items():
        conflict = _moved(connection, subject, after)
        if conflict is not None:
            return conflict
    return None if write.condition is None else _met(connection, write.condition)


def _moved(connection: sqlite3.Connection, subject: str, after: Position) -> Conflict | None:
    last = reading.last_of(connection, subject, after=after)
    if last:
        return Conflict(kind="subject", position=last, subject=subject)
    if after == 0 or after <= reading.head(connection).floor or reading.is_of(connection, subject, after):
        return None
    return Conflict(kind="subject", position=0, subject=subject)


def _met(connection: sqlite3.Connection, condition: Condition) -> Conflict | None:
    found = reading.first_match(connection, condition.where, after=condition.after)
    return None if found is None else Conflict(kind="condition", position=found)
