"""Tries of deliveries, a row for each, from the moment in which it is counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tidings.backends.sqlite.statements import filled, flat, values
from tidings.store.attempts import Attempt
from tidings.store.reason import Reason

OF = (
    "SELECT a.number, a.began, a.ended, a.outcome, a.error, a.answer FROM tidings_attempt a JOIN tidings_delivery d "
    "ON d.n = a.delivery WHERE d.key = ? ORDER BY a.epoch"
)
_SURPLUS = (
    "DELETE FROM tidings_attempt WHERE n IN (SELECT n FROM tidings_attempt "
    "WHERE n <= (SELECT max(n) FROM tidings_attempt) - ? ORDER BY n LIMIT ?)"
)
# An attempt began before its delivery closed, so no younger one need be looked at.
OLD = (
    "DELETE FROM tidings_attempt WHERE n IN (SELECT a.n FROM tidings_attempt a CROSS JOIN tidings_delivery d "
    "ON d.n = a.delivery WHERE a.began < ? AND d.closed < ? ORDER BY a.began LIMIT ?)"
)


def begin(connection: sqlite3.Connection, counted: Sequence[tuple[int, int, int]], *, now: int) -> None:
    """Write down attempts that were counted: the delivery's n, its epoch, and the attempt's number."""
    for piece in filled([(*each, now) for each in counted], 4):
        connection.execute(
            "INSERT INTO tidings_attempt (delivery, epoch, number, began) "
            f"VALUES {values(4, len(piece))} ON CONFLICT DO NOTHING",
            flat(piece),
        )


def lose(connection: sqlite3.Connection, leased: Sequence[tuple[int, int]], *, now: int) -> None:
    """Write down that nobody says how these attempts ended: the delivery's n, and its epoch."""
    for delivery, epoch in leased:
        connection.execute(
            "UPDATE tidings_attempt SET ended = ?, outcome = 'lost' WHERE delivery = ? AND epoch = ?",
            (now, delivery, epoch),
        )


def end(connection: sqlite3.Connection, delivery: int, epoch: int, reason: Reason | None, *, now: int) -> None:
    """Write down how the attempt under this epoch ended, unless it is forgotten already."""
    outcome, error = ("delivered", None) if reason is None else (reason.kind, reason.error)
    connection.execute(
        "UPDATE tidings_attempt SET ended = ?, outcome = ?, error = ? WHERE delivery = ? AND epoch = ?",
        (now, outcome, error, delivery, epoch),
    )


def of(connection: sqlite3.Connection, key: str) -> list[Attempt]:
    return [
        Attempt(number=number, began=began, ended=ended, outcome=outcome, error=error, answer=answer)
        for number, began, ended, outcome, error, answer in connection.execute(OF, (key,))
    ]


def forget(connection: sqlite3.Connection, *, closed: int, keep: int, limit: int) -> int:
    removed = connection.execute(_SURPLUS, (keep, limit)).rowcount
    if removed < limit:
        removed += connection.execute(OLD, (closed, closed, limit - removed)).rowcount
    return removed
