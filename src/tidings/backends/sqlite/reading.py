"""Queries of the log. Writers come one after the other and raise the head as they commit: nothing appears below it."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager

from tidings.backends.sqlite.entries import BUCKET_BITS, READ, entries_of
from tidings.backends.sqlite.statements import filled, values
from tidings.errors import LogRewoundError, PositionExpiredError
from tidings.events.envelope import Entry, Envelope
from tidings.events.filter import Filter
from tidings.events.identity import slot_of, subject_key
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
    found = tuple(_matching(connection, where, after=after, upto=now.position, limit=limit))
    return Page(found, found[-1].position if len(found) == limit else now.position)


def count(connection: sqlite3.Connection, where: Filter, after: Position, most: int) -> int:
    upto = head(connection).position
    return sum(1 for _ in _matching(connection, where, after=after, upto=upto, limit=most))


def first_match(connection: sqlite3.Connection, where: Filter, *, after: Position) -> Position | None:
    found = _matching(connection, where, after=after, upto=head(connection).position, limit=1)
    return next((entry.position for entry in found), None)


def entries_between(connection: sqlite3.Connection, after: Position, upto: Position) -> list[Entry]:
    """Return all entries above `after`, at or below `upto`."""
    return [entry for entries in _blocks_between(connection, after, upto) for entry in entries]


def _matching(
    connection: sqlite3.Connection, where: Filter, *, after: Position, upto: Position, limit: int
) -> list[Entry]:
    """Return the matching entries of the range, the first `limit` of them."""
    if where.subject is None:
        blocks = _blocks_between(connection, after, upto)
    else:
        blocks = _blocks_of(connection, where.subject, after, upto)
    found: list[Entry] = []
    with closing(blocks):  # an open query would keep the write-ahead log from being used anew
        for entries in blocks:
            found += _wanted(where, entries)
            if len(found) >= limit:
                break
    return found[:limit]


def _wanted(where: Filter, entries: list[Entry]) -> list[Entry]:
    types = where.types
    if types is not None:
        entries = [entry for entry in entries if entry.envelope.type in types]
    if where.source is None and where.subject is None and where.slots is None:
        return entries
    return [entry for entry in entries if _is_wanted(where, entry.envelope)]


def _is_wanted(where: Filter, envelope: Envelope) -> bool:
    slot = 0 if where.slots is None else slot_of(envelope.source, envelope.id, envelope.subject)
    return where.matches(envelope, slot)


Blocks = Generator[list[Entry], None, None]
"""Entries of a range, block by block, each cut to the range."""


def _blocks_between(connection: sqlite3.Connection, after: Position, upto: Position) -> Blocks:
    statement = f"SELECT {READ} FROM tidings_log WHERE pos > ? AND first <= ? ORDER BY pos"
    with closing(connection.execute(statement, (after, upto))) as blocks:
        for block in blocks:
            yield _within(entries_of(*block), after, upto)


def _blocks_of(connection: sqlite3.Connection, subject: str, after: Position, upto: Position) -> Blocks:
    """Yield the blocks in which the subject stands, bucket by bucket of its index, so that others are not looked at."""
    statement = (
        f"SELECT {READ} FROM tidings_log WHERE pos IN "
        "(SELECT pos FROM tidings_log_subject WHERE bucket = ? AND skey = ? AND pos > ?) ORDER BY pos"
    )
    key = subject_key(subject)
    for bucket in range(after >> BUCKET_BITS, _last_bucket(head(connection), upto) + 1):
        for block in connection.execute(statement, (bucket, key, after)).fetchall():
            yield _within(entries_of(*block), after, upto)


def _within(entries: list[Entry], after: Position, upto: Position) -> list[Entry]:
    if entries[0].position > after and entries[-1].position <= upto:
        return entries
    return [entry for entry in entries if after < entry.position <= upto]


def at(connection: sqlite3.Connection, positions: Sequence[Position]) -> tuple[Entry, ...]:
    found: dict[Position, Entry] = {}
    for piece in filled(sorted(set(positions)), 1):
        statement = (
            f"WITH wanted(p) AS (VALUES {values(1, len(piece))}) SELECT {READ} FROM tidings_log WHERE pos IN "
            "(SELECT (SELECT min(pos) FROM tidings_log WHERE pos >= p) FROM wanted) ORDER BY pos"
        )
        for block in connection.execute(statement, piece).fetchall():
            found.update({entry.position: entry for entry in entries_of(*block)})
    return tuple([found[position] for position in sorted(found.keys() & set(positions))])


def is_of(connection: sqlite3.Connection, subject: str, position: Position) -> bool:
    return any(entry.envelope.subject == subject for entry in at(connection, [position]))


def last_of(connection: sqlite3.Connection, subject: str, *, after: Position = 0) -> Position:
    """Return the subject's last position above `after`; 0 if there is none. The newest blocks are looked at first."""
    statement = (
        f"SELECT {READ} FROM tidings_log WHERE pos IN "
        "(SELECT pos FROM tidings_log_subject WHERE bucket = ? AND skey = ? AND pos > ?) ORDER BY pos DESC"
    )
    key = subject_key(subject)
    for bucket in range(head(connection).position >> BUCKET_BITS, (after >> BUCKET_BITS) - 1, -1):
        for block in connection.execute(statement, (bucket, key, after)):
            of_it = [entry.position for entry in entries_of(*block) if entry.envelope.subject == subject]
            if of_it and of_it[-1] > after:
                return of_it[-1]
    return 0


def history(connection: sqlite3.Connection, wanted: History) -> tuple[Entry, ...]:
    now = head(connection)
    subjects = frozenset(wanted.subjects)
    if not subjects or not wanted.types:
        return ()
    keys = sorted({subject_key(subject) for subject in subjects})

    def is_wanted(entry: Entry) -> bool:
        of = entry.envelope
        return of.subject in subjects and of.type in wanted.types and entry.position <= wanted.upto

    found: dict[Position, Entry] = {}
    for bucket in range(now.floor >> BUCKET_BITS, _last_bucket(now, wanted.upto) + 1):
        for piece in filled(keys, 1):
            statement = (
                f"SELECT {READ} FROM tidings_log WHERE pos IN (SELECT pos FROM tidings_log_subject "
                f"WHERE bucket = ? AND skey IN (VALUES {values(1, len(piece))})) AND first <= ?"
            )
            for block in connection.execute(statement, (bucket, *piece, wanted.upto)).fetchall():
                found.update({entry.position: entry for entry in entries_of(*block) if is_wanted(entry)})
    return tuple([found[position] for position in sorted(found)])


def _last_bucket(now: Head, upto: Position) -> int:
    """Return the last bucket with blocks that begin at or below `upto`: none spans more than a bucket's positions."""
    return min((upto >> BUCKET_BITS) + 1, now.position >> BUCKET_BITS)


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
        "SELECT first FROM tidings_log WHERE pos > ? AND recorded >= ? ORDER BY pos LIMIT 1", (low, recorded)
    ).fetchone()
    return now.position if first is None else first[0] - 1
