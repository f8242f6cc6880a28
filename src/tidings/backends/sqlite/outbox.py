"""Envelopes that wait to leave, staged in the user's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tidings.backends.sqlite.statements import ROWS, flat, values
from tidings.events.codec import envelope_of, stored_of
from tidings.events.envelope import Envelope
from tidings.store.staging import Staged, Waiting


def stage(connection: sqlite3.Connection, envelopes: Sequence[Envelope], *, now: int) -> None:
    for start in range(0, len(envelopes), ROWS):
        rows = [(*stored_of(envelope), now) for envelope in envelopes[start : start + ROWS]]
        connection.execute(
            "INSERT INTO tidings_outbox (source, id, type, dataversion, subject, attrs, data, staged) "
            f"VALUES {values(8, len(rows))}",
            flat(rows),
        )


def take(connection: sqlite3.Connection, *, limit: int) -> list[Staged]:
    rows = connection.execute(
        "DELETE FROM tidings_outbox WHERE n IN (SELECT n FROM tidings_outbox ORDER BY n LIMIT ?) "
        "RETURNING n, source, id, type, dataversion, subject, attrs, data",
        (limit,),
    ).fetchall()
    return [Staged(n=n, envelope=envelope_of(stored)) for n, *stored in sorted(rows, key=lambda row: row[0])]


def waiting(connection: sqlite3.Connection, *, most: int, now: int) -> Waiting:
    envelopes, age = connection.execute(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM tidings_outbox LIMIT ?)), "
        "(SELECT max(? - staged, 0) FROM tidings_outbox ORDER BY n LIMIT 1)",
        (most, now),
    ).fetchone()
    return Waiting(envelopes=envelopes, age=age or 0)
