"""Queries of the log. Writers come one after the other and raise the head as they commit: nothing appears below it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tidings.backends.sqlite.entries import READ, entries_of
from tidings.backends.sqlite.schema import BUCKET_BITS
from tidings.backends.sqlite.statements import filled, values
from tidings.errors import LogRewoundError, PositionExpiredError
from tidings.events.envelope import Entry
from tidings.events.filter import EVERYTHING, Filter
from tidings.events.identity import SLOTS, subject_key
from tidings.log.driver import Head, History, Page, Position


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Have all queries inside see one state; inside a transaction they do already."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def head(connection: sqlite3.Connection) -> Head:
    found = connection.execute("SELECT pos, floor_pos, incarnation FROM tidings_head").fetchone()
    return Head(position=found[0], floor=found[1], incarnation=found[2])


def page(connection: sqlite3.Connection, after: Position, limit: int, where: Filter) -> Page:
    """Return the next matching entries. The head is read first: what comes later stands after it."""
    now = head(connection)
    if after > now.position:
        raise LogRewoundError(
            f"position {after} lies beyond the log's head {now.position}: the log was restored from an older copy; "
            "rewind its consumers"
        )
    if after < now.floor:
        raise PositionExpiredError(f"entries up to {now.floor} are no longer kept; read after it", floor=now.floor)
    found = entries_of(_matching(connection, READ, where, after=after, upto=now.position, limit=limit))
    return Page(found, found[-1].position if len(found) == limit else now.position)


def count(connection: sqlite3.Connection, where: Filter, after: Position, most: int) -> int:
    upto = head(connection).position
    return len(_matching(connection, "pos", where, after=after, upto=upto, limit=most))


def first_match(connection: sqlite3.Connection, where: Filter, *, after: Position) -> Position | None:
    found = _matching(connection, "pos", where, after=after, upto=head(connection).position, limit=1)
    return found[0][0] if found else None


def _matching(
    connection: sqlite3.Connection, columns: str, where: Filter, *, after: Position, upto: Position, limit: int
) -> list[Any]:
    if where.subject is not None:
        return _of_subject(connection, columns, where, after=after, upto=upto, limit=limit)
    conditions, held = _conditions(where)
    statement = f"SELECT {columns} FROM tidings_log WHERE pos > ? AND pos <= ?{conditions} ORDER BY pos LIMIT ?"
    return connection.execute(statement, (after, upto, *held, limit)).fetchall()


def _of_subject(
    connection: sqlite3.Connection, columns: str, where: Filter, *, after: Position, upto: Position, limit: int
) -> list[Any]:
    """Return the matching rows of one subject, bucket by bucket of its index, so that the others are not looked at."""
    conditions, held = _conditions(where)
    statement = (
        f"SELECT {columns} FROM tidings_log WHERE pos >> {BUCKET_BITS} = ?{conditions} AND pos > ? AND pos <= ? "
        "ORDER BY pos LIMIT ?"
    )
    rows: list[Any] = []
    for bucket in range(after >> BUCKET_BITS, (upto >> BUCKET_BITS) + 1):
        left = limit - len(rows)
        if left <= 0:
            break
        rows += connection.execute(statement, (bucket, *held, after, upto, left)).fetchall()
    return rows


def _conditions(where: Filter) -> tuple[str, list[Any]]:
    conditions = ""
    held: list[Any] = []
    if where == EVERYTHING:
        return conditions, held
    if where.types is not None:
        conditions += f" AND +type IN ({','.join('?' * len(where.types))})"
        held += sorted(where.types)
    if where.source is not None:
        conditions += " AND source = ?"
        held.append(where.source)
    if where.subject is not None:
        conditions += " AND skey = ? AND subject = ?"
        held += [subject_key(where.subject), where.subject]
    if where.slots is not None:
        conditions += f" AND skey & {SLOTS - 1} >= ? AND skey & {SLOTS - 1} < ?"
        held += where.slots
    return conditions, held


def at(connection: sqlite3.Connection, positions: Sequence[Position]) -> tuple[Entry, ...]:
    rows: list[Any] = []
    for piece in filled(sorted(set(positions)), 1):
        statement = f"SELECT {READ} FROM tidings_log WHERE pos IN (VALUES {values(1, len(piece))}) ORDER BY pos"
        rows += connection.execute(statement, piece).fetchall()
    return entries_of(rows)


def is_of(connection: sqlite3.Connection, subject: str, position: Position) -> bool:
    statement = "SELECT 1 FROM tidings_log WHERE pos = ? AND subject = ?"
    return connection.execute(statement, (position, subject)).fetchone() is not None


def last_of(connection: sqlite3.Connection, subject: str, *, after: Position = 0) -> Position:
    """Return the subject's last position above `after`; 0 if there is none. The newest bucket is looked at first."""
    key = subject_key(subject)
    statement = (
        f"SELECT max(pos) FROM tidings_log WHERE pos >> {BUCKET_BITS} = ? AND skey = ? AND pos > ? AND subject = ?"
    )
    for bucket in range(head(connection).position >> BUCKET_BITS, (after >> BUCKET_BITS) - 1, -1):
        found: Position | None = connection.execute(statement, (bucket, key, after, subject)).fetchone()[0]
        if found is not None:
            return found
    return 0


def history(connection: sqlite3.Connection, wanted: History) -> tuple[Entry, ...]:
    now = head(connection)
    subjects = list(wanted.subjects)
    if not subjects or not wanted.types:
        return ()
    last = min(wanted.upto, now.position) >> BUCKET_BITS
    rows: list[Any] = []
    types = sorted(wanted.types)
    for bucket in range(now.floor >> BUCKET_BITS, last + 1):
        for piece in filled(subjects, 1):
            keys = [subject_key(subject) for subject in piece]
            statement = (
                f"SELECT {READ} FROM tidings_log WHERE pos >> {BUCKET_BITS} = ? "
                f"AND skey IN (VALUES {values(1, len(keys))}) AND subject IS NOT NULL AND pos <= ? "
                f"AND type IN ({','.join('?' * len(types))}) ORDER BY pos"
            )
            rows += connection.execute(statement, (bucket, *keys, wanted.upto, *types)).fetchall()
    names = frozenset(subjects)
    found = {row[0]: row for row in rows if row[6] in names}
    return entries_of([found[position] for position in sorted(found)])


def recorded_from(connection: sqlite3.Connection, recorded: int) -> Position:
    """Return the last position before the first entry recorded at or after this time, the head if there is none.

    Times rise with positions, but for a clock that was set back: by up to 60 s of it the search is not misled.
    """
    now = head(connection)
    low, high = now.floor, now.position
    aim = recorded - 60_000_000
    while low < high:
        middle = (low + high + 1) // 2
        row = connection.execute(
            "SELECT pos, recorded FROM tidings_log WHERE pos >= ? ORDER BY pos LIMIT 1", (middle,)
        ).fetchone()
        if row is None or row[1] >= aim:
            high = middle - 1
        else:
            low = row[0] if row[0] <= high else high
    first: tuple[Position] | None = connection.execute(
        "SELECT pos FROM tidings_log WHERE pos > ? AND recorded >= ? ORDER BY pos LIMIT 1", (low, recorded)
    ).fetchone()
    return now.position if first is None else first[0] - 1
