"""What waits to be taken over, both in the user's transaction: ids taken in, and envelopes that are to leave."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tidings.backends.sqlite.statements import ROWS, filled, flat, values
from tidings.events.codec import envelope_of, stored_of
from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import Position
from tidings.store.inbox import marks, other_content
from tidings.store.staging import Staged


def stage(connection: sqlite3.Connection, envelopes: Sequence[Envelope]) -> None:
    for start in range(0, len(envelopes), ROWS):
        rows = [stored_of(envelope) for envelope in envelopes[start : start + ROWS]]
        connection.execute(
            "INSERT INTO tidings_outbox (source, id, type, dataversion, subject, attrs, data) "
            f"VALUES {values(7, len(rows))}",
            flat(rows),
        )


def take(connection: sqlite3.Connection, *, limit: int) -> list[Staged]:
    rows = connection.execute(
        "DELETE FROM tidings_outbox WHERE n IN (SELECT n FROM tidings_outbox ORDER BY n LIMIT ?) "
        "RETURNING n, source, id, type, dataversion, subject, attrs, data",
        (limit,),
    ).fetchall()
    return [Staged(n=n, envelope=envelope_of(stored)) for n, *stored in sorted(rows, key=lambda row: row[0])]


def take_in(connection: sqlite3.Connection, consumer: str, entries: Sequence[Entry]) -> frozenset[Position]:
    """Note the entries' ids; return the positions of those that are new. ConflictError for an id with other content."""
    secret = connection.execute("SELECT secret FROM tidings_head").fetchone()[0]
    marked = [(entry, *marks(entry.envelope, secret)) for entry in entries]
    kept = _kept(connection, consumer, [k for _, k, _ in marked])
    new: list[tuple[str, bytes, int, Position]] = []
    for entry, k, h in marked:
        if k not in kept:
            kept[k] = h, entry.position
            new.append((consumer, k, h, entry.position))
        elif kept[k][0] != h:
            raise other_content(entry, kept[k][1])
    for piece in filled(new, 4):
        statement = f"INSERT INTO tidings_inbox (consumer, k, h, pos) VALUES {values(4, len(piece))}"
        connection.execute(f"{statement} ON CONFLICT DO NOTHING", flat(piece))
    return frozenset(position for *_, position in new)


def _kept(connection: sqlite3.Connection, consumer: str, keys: Sequence[bytes]) -> dict[bytes, tuple[int, Position]]:
    kept: dict[bytes, tuple[int, Position]] = {}
    for piece in filled(keys, 1):
        statement = f"SELECT k, h, pos FROM tidings_inbox WHERE consumer = ? AND k IN (VALUES {values(1, len(piece))})"
        kept.update({k: (h, pos) for k, h, pos in connection.execute(statement, [consumer, *piece]).fetchall()})
    return kept
