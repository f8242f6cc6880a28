"""Requests that came to receivers: many in one statement, because every step is one more wait for the interpreter."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tidings.backends.sqlite.statements import filled, flat, values
from tidings.store.receipts import (
    ADDED,
    Judged,
    Owner,
    Received,
    SourceKey,
    is_repeat,
    judge,
    keys_to_add,
    repeats_of,
    row_of,
)


def receive(connection: sqlite3.Connection, received: Sequence[Received]) -> list[Judged]:
    kept = _kept(connection, list({(each.source, of.key) for each in received for of in each.identities}))
    last = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'tidings_receipt'")
    first = last.fetchone()[0] + 1
    judged = judge(received, kept, range(first, first + len(received)))
    rows = [row_of(each, verdict) for each, verdict in zip(received, judged, strict=True) if not is_repeat(verdict)]
    _add(connection, f"tidings_receipt ({ADDED})", rows, width=13)
    _add(
        connection, "tidings_receipt_key (source, key, content, receipt)", keys_to_add(received, judged, kept), width=4
    )
    for n, at, forget_at in repeats_of(received, judged):
        connection.execute(
            "UPDATE tidings_receipt SET seen = seen + 1, last_seen = max(last_seen, ?), forget_at = max(forget_at, ?) "
            "WHERE n = ?",
            (at, forget_at, n),
        )
    return judged


def _add(connection: sqlite3.Connection, into: str, rows: Sequence[tuple[object, ...]], *, width: int) -> None:
    """Add rows in one statement, filled up with repeats of the last one, which are ignored."""
    for piece in filled(rows, width):
        statement = f"INSERT INTO {into} VALUES {values(width, len(piece))} ON CONFLICT DO NOTHING"
        connection.execute(statement, flat(piece))


def _kept(connection: sqlite3.Connection, keys: Sequence[SourceKey]) -> dict[SourceKey, Owner]:
    found: dict[SourceKey, Owner] = {}
    for piece in filled(keys, 2):
        rows = connection.execute(
            "SELECT k.source, k.key, k.content, k.receipt, r.outcome = 'failed' FROM "
            f"(SELECT column1 AS source, column2 AS key FROM (VALUES {values(2, len(piece))})) w "
            "CROSS JOIN tidings_receipt_key k ON k.source = w.source AND k.key = w.key "  # in this order: by the key
            "CROSS JOIN tidings_receipt r ON r.n = k.receipt",
            flat(piece),
        ).fetchall()
        found.update({(source, key): Owner(content, n, bool(failed)) for source, key, content, n, failed in rows})
    return found
