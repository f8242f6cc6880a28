"""Subjects that wait because one of their entries failed, and the entries that wait with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tidings.backends.sqlite import audit, leases
from tidings.backends.sqlite.statements import filled, flat, values
from tidings.events.codec import envelope_of, stored_of
from tidings.events.envelope import Entry
from tidings.log.driver import Position
from tidings.store.claims import Claim
from tidings.store.parking import (
    DeadLetter,
    Dropping,
    Parked,
    Parking,
    no_dead_letter,
    not_parked,
    not_parked_yet,
    other_tables,
    parked_of,
    told,
)
from tidings.store.reason import Reason
from tidings.store.rows import ViewTable

_PARKED = (
    "SELECT consumer, subject, part, state, attempts, next_at, reason, error, parked_at, "
    "(SELECT min(d.pos) FROM tidings_dead_letter d WHERE d.consumer = p.consumer AND d.subject = p.subject), "
    "(SELECT count(*) FROM tidings_dead_letter d WHERE d.consumer = p.consumer AND d.subject = p.subject) "
    "FROM tidings_parked p"
)
DUE = f"{_PARKED} WHERE consumer = ? AND part = ? AND state = 'retrying' AND next_at <= ? ORDER BY next_at"


def parked_among(connection: sqlite3.Connection, consumer: str, subjects: Sequence[str]) -> frozenset[str]:
    found: set[str] = set()
    for piece in filled(subjects, 1):
        statement = f"SELECT subject FROM tidings_parked WHERE consumer = ? AND subject IN {values(len(piece), 1)}"
        found.update(subject for (subject,) in connection.execute(statement, (consumer, *piece)).fetchall())
    return frozenset(found)


def park(connection: sqlite3.Connection, parking: Parking, reason: Reason | None) -> None:
    """Set entries aside. Without a reason the subject must be parked already: RefusedError if it is not."""
    if reason is not None:
        _note(connection, parking, reason)
    elif not parked_among(connection, parking.consumer, [parking.subject]):
        raise not_parked_yet(parking)
    rows = [
        (parking.consumer, parking.subject, entry.position, entry.recorded, *stored_of(entry.envelope))
        for entry in parking.entries
    ]
    for piece in filled(rows, 11):
        statement = f"INSERT INTO tidings_dead_letter VALUES {values(11, len(piece))} ON CONFLICT DO NOTHING"
        connection.execute(statement, flat(piece))


def _note(connection: sqlite3.Connection, parking: Parking, reason: Reason) -> None:
    part = parking.part(leases.partitions_of(connection, parking.consumer))
    connection.execute(
        "INSERT INTO tidings_parked (consumer, subject, part, attempts, parked_at, state, next_at, reason, error) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "state = excluded.state, next_at = excluded.next_at, reason = excluded.reason, error = excluded.error",
        (parking.consumer, parking.subject, part, reason.attempts or 1, parking.now, *told(reason)),
    )


def unpark(connection: sqlite3.Connection, consumer: str, subject: str, position: Position) -> None:
    """Take one entry away; the next one, if there is one, starts with a first attempt of its own."""
    _take(connection, consumer, subject, position)
    if not _free(connection, consumer, subject):
        statement = "UPDATE tidings_parked SET attempts = 1 WHERE consumer = ? AND subject = ?"
        connection.execute(statement, (consumer, subject))


def drop(connection: sqlite3.Connection, dropping: Dropping) -> None:
    """Give one entry up and write down why; what waited for it is due at once."""
    consumer, subject, position = dropping.consumer, dropping.subject, dropping.position
    first = _first(connection, consumer, subject)
    _take(connection, consumer, subject, position)
    audit.note(connection, dropping.change, now=dropping.now)
    if not _free(connection, consumer, subject) and first == position:
        schedule(connection, consumer, subject, at=dropping.now)


def dropped(connection: sqlite3.Connection, view: ViewTable) -> frozenset[Position]:
    """Return what is given up for the table: by drops of its own, and by those of others before it was made."""
    rows = connection.execute(
        "SELECT pos FROM tidings_audit WHERE what = 'drop' AND done_to = ? UNION "
        "SELECT pos FROM tidings_audit WHERE what = 'drop' AND done_to > ? AND done_to < ? AND n <= "
        "(SELECT audited FROM tidings_view WHERE service = ? AND name = ? AND version = ?)",
        (view.consumer, *other_tables(view), view.service, view.view, view.version),
    ).fetchall()
    return frozenset([position for (position,) in rows])


def take_away(connection: sqlite3.Connection, consumer: str) -> tuple[int, int]:
    """Remove all that is parked for a consumer; return how many subjects that were, and entries."""
    entries = connection.execute("DELETE FROM tidings_dead_letter WHERE consumer = ?", (consumer,)).rowcount
    return connection.execute("DELETE FROM tidings_parked WHERE consumer = ?", (consumer,)).rowcount, entries


def _first(connection: sqlite3.Connection, consumer: str, subject: str) -> Position | None:
    statement = "SELECT min(pos) FROM tidings_dead_letter WHERE consumer = ? AND subject = ?"
    first: Position | None = connection.execute(statement, (consumer, subject)).fetchone()[0]
    return first


def _take(connection: sqlite3.Connection, consumer: str, subject: str, position: Position) -> None:
    statement = "DELETE FROM tidings_dead_letter WHERE consumer = ? AND subject = ? AND pos = ?"
    if connection.execute(statement, (consumer, subject, position)).rowcount == 0:
        raise no_dead_letter(consumer, subject, position)


def _free(connection: sqlite3.Connection, consumer: str, subject: str) -> bool:
    """Free the subject if none of its entries waits any more; say whether that is so."""
    if _first(connection, consumer, subject) is not None:
        return False
    connection.execute("DELETE FROM tidings_parked WHERE consumer = ? AND subject = ?", (consumer, subject))
    return True


def due(connection: sqlite3.Connection, claims: Sequence[Claim], *, now: int) -> list[Parked]:
    found: list[Parked] = []
    for claim in claims:
        found += parked_of(connection.execute(DUE, (claim.consumer, claim.part, now)).fetchall())
    return found


def begin_redrive(connection: sqlite3.Connection, claim: Claim, subject: str) -> Parked | None:
    leases.check(connection, [claim])
    connection.execute(
        "UPDATE tidings_parked SET attempts = attempts + 1 WHERE consumer = ? AND subject = ?",
        (claim.consumer, subject),
    )
    statement = f"{_PARKED} WHERE consumer = ? AND subject = ?"
    found = parked_of(connection.execute(statement, (claim.consumer, subject)).fetchall())
    return found[0] if found else None


def reschedule(connection: sqlite3.Connection, claim: Claim, subject: str, reason: Reason) -> None:
    leases.check(connection, [claim])
    connection.execute(
        "UPDATE tidings_parked SET state = ?, next_at = ?, reason = ?, error = ?, attempts = coalesce(?, attempts) "
        "WHERE consumer = ? AND subject = ? AND attempts > 0",
        (*told(reason), reason.attempts, claim.consumer, subject),
    )


def schedule(connection: sqlite3.Connection, consumer: str, subject: str, *, at: int) -> None:
    statement = (
        "UPDATE tidings_parked SET state = 'retrying', next_at = ?, attempts = 0 WHERE consumer = ? AND subject = ?"
    )
    if connection.execute(statement, (at, consumer, subject)).rowcount == 0:
        raise not_parked(consumer, subject)


def is_any(connection: sqlite3.Connection, consumer: str | None) -> bool:
    """Say whether any subject is parked."""
    where, held = _of(consumer)
    return connection.execute(f"SELECT 1 FROM tidings_parked {where} LIMIT 1", held).fetchone() is not None


def _of(consumer: str | None) -> tuple[str, tuple[str, ...]]:
    return ("WHERE consumer = ?", (consumer,)) if consumer is not None else ("", ())


def parked(connection: sqlite3.Connection, consumer: str | None) -> list[Parked]:
    where, held = _of(consumer)
    return parked_of(connection.execute(f"{_PARKED} {where} ORDER BY parked_at, consumer, subject", held).fetchall())


def dead_letters(connection: sqlite3.Connection, consumer: str, subject: str, *, limit: int) -> list[DeadLetter]:
    rows = connection.execute(
        "SELECT pos, recorded, source, id, type, dataversion, event_subject, attrs, data FROM tidings_dead_letter "
        "WHERE consumer = ? AND subject = ? ORDER BY pos LIMIT ?",
        (consumer, subject, limit),
    ).fetchall()
    return [
        DeadLetter(consumer=consumer, subject=subject, entry=Entry(position, recorded, envelope_of(stored)))
        for position, recorded, *stored in rows
    ]
