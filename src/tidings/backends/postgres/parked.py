"""Subjects that wait because one of their entries failed, and the entries that wait with them.

Whoever takes entries away, or puts some behind, holds the subject's row: else one could follow a subject that is just
being freed, and wait for nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidings.backends.postgres import audit, leases
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.stored import STORED, stored_arrays, stored_columns, subject_bytes
from tidings.events.codec import Stored, envelope_of
from tidings.events.envelope import Entry, Envelope
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
from tidings.store.reason import Reason, readable
from tidings.store.rows import ViewTable

_LETTERS = "FROM tidings.dead_letter d WHERE d.consumer = p.consumer AND d.subject = p.subject"
_PARKED = (
    "SELECT consumer, subject, part, state, attempts, next_at, reason, error, parked_at, "
    f"(SELECT min(d.pos) {_LETTERS}), (SELECT count(*) {_LETTERS}) FROM tidings.parked p"
)
DUE = (
    f"{_PARKED} JOIN unnest($1::text[], $2::smallint[]) AS c(in_consumer, in_part) "
    "ON p.consumer = c.in_consumer AND p.part = c.in_part WHERE p.state = 'retrying' AND p.next_at <= $3 "
    "ORDER BY p.next_at"
)


async def parked_among(connection: Connection, consumer: str, subjects: Sequence[str]) -> frozenset[str]:
    """Return which of these are parked; they stay so until the transaction ends, but for what it does itself."""
    rows = await connection.fetch(
        "SELECT subject FROM tidings.parked WHERE consumer = $1 AND subject = ANY ($2::bytea[]) "
        "ORDER BY subject FOR UPDATE",
        consumer,
        [subject_bytes(subject) for subject in subjects],
    )
    return frozenset([subject.decode() for (subject,) in rows])


async def park(connection: Connection, parking: Parking, reason: Reason | None) -> None:
    """Set entries aside. Without a reason the subject must be parked already: RefusedError if it is not."""
    if reason is not None:
        await _note(connection, parking, reason)
    elif not await parked_among(connection, parking.consumer, [parking.subject]):
        raise not_parked_yet(parking)
    entries = parking.entries
    await connection.execute(
        f"INSERT INTO tidings.dead_letter (consumer, subject, pos, recorded, {STORED.format('event_subject')}) "
        f"SELECT $1, $2, * FROM unnest($3::bigint[], $4::bigint[], {stored_arrays(5)}) ON CONFLICT DO NOTHING",
        parking.consumer,
        subject_bytes(parking.subject),
        [entry.position for entry in entries],
        [entry.recorded for entry in entries],
        *stored_columns([entry.envelope for entry in entries]),
    )


async def _note(connection: Connection, parking: Parking, reason: Reason) -> None:
    part = parking.part(await leases.partitions_of(connection, parking.consumer))
    await connection.execute(
        "INSERT INTO tidings.parked (consumer, subject, part, attempts, parked_at, state, next_at, reason, error) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (consumer, subject) DO UPDATE SET "
        "state = EXCLUDED.state, next_at = EXCLUDED.next_at, reason = EXCLUDED.reason, error = EXCLUDED.error",
        parking.consumer,
        subject_bytes(parking.subject),
        part,
        reason.attempts or 1,
        parking.now,
        *_told(reason),
    )


def _told(reason: Reason) -> tuple[str, int | None, str, str | None]:
    state, next_at, kind, error = told(reason)
    return state, next_at, kind, readable(error)


async def unpark(connection: Connection, consumer: str, subject: str, position: Position) -> None:
    """Take one entry away; the next one, if there is one, starts with a first attempt of its own."""
    await _take(connection, consumer, subject, position)
    if not await _free(connection, consumer, subject):
        await connection.execute(
            "UPDATE tidings.parked SET attempts = 1 WHERE consumer = $1 AND subject = $2",
            consumer,
            subject_bytes(subject),
        )


async def drop(connection: Connection, dropping: Dropping) -> None:
    """Give one entry up and write down why; what waited for it is due at once."""
    consumer, subject, position = dropping.consumer, dropping.subject, dropping.position
    first = await _take(connection, consumer, subject, position)
    if not await _free(connection, consumer, subject) and first == position:
        await schedule(connection, consumer, subject, at=dropping.now)
    await audit.note(connection, dropping.change, now=dropping.now)


async def dropped(connection: Connection, view: ViewTable) -> frozenset[Position]:
    """Return what is given up for the table: by drops of its own, and by those of others before it was made."""
    rows = await connection.fetch(
        "SELECT pos FROM tidings.audit WHERE what = 'drop' AND done_to = $1 UNION "
        "SELECT pos FROM tidings.audit WHERE what = 'drop' AND done_to > $2 AND done_to < $3 AND n <= "
        "(SELECT audited FROM tidings.view WHERE service = $4 AND name = $5 AND version = $6)",
        view.consumer,
        *other_tables(view),
        view.service,
        view.view,
        view.version,
    )
    return frozenset([position for (position,) in rows])


async def take_away(connection: Connection, consumer: str) -> tuple[int, int]:
    """Remove all that is parked for a consumer; return how many subjects that were, and entries.

    asyncpg's LockNotAvailableError if somebody is at one of them: who takes an entry away holds its subject first.
    """
    await connection.execute("SELECT FROM tidings.parked WHERE consumer = $1 FOR UPDATE NOWAIT", consumer)
    taken = []
    for table in ("parked", "dead_letter"):
        removed = f"WITH removed AS (DELETE FROM tidings.{table} WHERE consumer = $1 RETURNING 1)"
        taken.append(await connection.fetchval(f"{removed} SELECT count(*) FROM removed", consumer))
    return taken[0], taken[1]


async def is_any(connection: Connection, consumer: str) -> bool:
    """Say whether any subject is parked."""
    found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM tidings.parked WHERE consumer = $1)", consumer)
    return found


async def _first(connection: Connection, consumer: str, subject: str) -> Position | None:
    first: Position | None = await connection.fetchval(
        "SELECT min(pos) FROM tidings.dead_letter WHERE consumer = $1 AND subject = $2",
        consumer,
        subject_bytes(subject),
    )
    return first


async def _take(connection: Connection, consumer: str, subject: str, position: Position) -> Position | None:
    """Take one entry away; return where the first one stood until now."""
    await parked_among(connection, consumer, [subject])
    first = await _first(connection, consumer, subject)
    taken = await connection.fetchval(
        "DELETE FROM tidings.dead_letter WHERE consumer = $1 AND subject = $2 AND pos = $3 RETURNING pos",
        consumer,
        subject_bytes(subject),
        position,
    )
    if taken is None:
        raise no_dead_letter(consumer, subject, position)
    return first


async def _free(connection: Connection, consumer: str, subject: str) -> bool:
    """Free the subject if none of its entries waits any more; say whether that is so."""
    if await _first(connection, consumer, subject) is not None:
        return False
    statement = "DELETE FROM tidings.parked WHERE consumer = $1 AND subject = $2"
    await connection.execute(statement, consumer, subject_bytes(subject))
    return True


async def due(connection: Connection, claims: Sequence[Claim], *, now: int) -> list[Parked]:
    parts = [claim.part for claim in claims]
    return _parked(await connection.fetch(DUE, [claim.consumer for claim in claims], parts, now))


async def begin_redrive(connection: Connection, claim: Claim, subject: str) -> Parked | None:
    await leases.check(connection, [claim])
    held = claim.consumer, subject_bytes(subject)
    await connection.execute(
        "UPDATE tidings.parked SET attempts = attempts + 1 WHERE consumer = $1 AND subject = $2", *held
    )
    found = _parked(await connection.fetch(f"{_PARKED} WHERE consumer = $1 AND subject = $2", *held))
    return found[0] if found else None


async def reschedule(connection: Connection, claim: Claim, subject: str, reason: Reason) -> None:
    await leases.check(connection, [claim])
    await connection.execute(
        "UPDATE tidings.parked SET state = $3, next_at = $4, reason = $5, error = $6, "
        "attempts = coalesce($7, attempts) WHERE consumer = $1 AND subject = $2 AND attempts > 0",
        claim.consumer,
        subject_bytes(subject),
        *_told(reason),
        reason.attempts,
    )


async def schedule(connection: Connection, consumer: str, subject: str, *, at: int) -> None:
    found = await connection.fetchval(
        "UPDATE tidings.parked SET state = 'retrying', next_at = $3, attempts = 0 WHERE consumer = $1 "
        "AND subject = $2 RETURNING part",
        consumer,
        subject_bytes(subject),
        at,
    )
    if found is None:
        raise not_parked(consumer, subject)


async def parked(connection: Connection, consumer: str | None) -> list[Parked]:
    where, held = ("WHERE consumer = $1", (consumer,)) if consumer is not None else ("", ())
    return _parked(await connection.fetch(f"{_PARKED} {where} ORDER BY parked_at, consumer, subject", *held))


def _parked(rows: Sequence[Sequence[Any]]) -> list[Parked]:
    return parked_of([(consumer, subject.decode(), *rest) for consumer, subject, *rest in rows])


async def dead_letters(connection: Connection, consumer: str, subject: str, *, limit: int) -> list[DeadLetter]:
    rows = await connection.fetch(
        f"SELECT pos, recorded, {STORED.format('event_subject')} FROM tidings.dead_letter "
        "WHERE consumer = $1 AND subject = $2 ORDER BY pos LIMIT $3",
        consumer,
        subject_bytes(subject),
        limit,
    )
    return [
        DeadLetter(consumer=consumer, subject=subject, entry=Entry(position, recorded, _envelope(stored)))
        for position, recorded, *stored in rows
    ]


def _envelope(stored: Stored | list[Any]) -> Envelope:
    return envelope_of(stored)  # type: ignore[arg-type]  # a row has as many columns
