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
    all_new,
    is_repeat,
    judge,
    keys_to_add,
    repeats_of,
    row_of,
)

_KEYS = "tidings_receipt_key (source, key, content, receipt)"


def receive(connection: sqlite3.Connection, received: Sequence[Received]) -> list[Judged]:
    last = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'tidings_receipt'")
    first = last.fetchone()[0] + 1
    numbers = range(first, first + len(received))
    if _take(connection, received, numbers):
        judged = all_new(received, numbers)
    else:
        kept = _kept(connection, list({(each.source, of.key) for each in received for of in each.identities}))
        judged = judge(received, kept, numbers)
        _add(connection, _KEYS, keys_to_add(received, judged, kept), width=4)
    rows = [row_of(each, verdict) for each, verdict in zip(received, judged, strict=True) if not is_repeat(verdict)]
    _add(connection, f"tidings_receipt ({ADDED})", rows, width=13)
    for n, at, forget_at in repeats_of(received, judged):
        connection.execute(
            "UPDATE tidings_receipt SET seen = seen + 1, last_seen = max(last_seen, ?), forget_at = max(forget_at, ?) "
            "WHERE n = ?",
            (at, forget_at, n),
        )
    return judged


def _take(connection: sqlite3.Connection, received: Sequence[Received], numbers: range) -> bool:
    """Add the keys of all, and say whether nobody had one; else nothing is added. Most requests are no repeats."""
    if any(each.outcome == "conflict" for each in received):
        return False
    pairs = zip(received, numbers, strict=True)
    keys = [(each.source, of.key, of.content, n) for each, n in pairs for of in each.identities]
    if _add(connection, _KEYS, keys, width=4) == len(keys):
        return True
    connection.execute("DELETE FROM tidings_receipt_key WHERE receipt >= ?", (numbers.start,))
    return False


def _add(connection: sqlite3.Connection, into: str, rows: Sequence[tuple[object, ...]], *, width: int) -> int:
    """Add rows, filled up with repeats of the last one, which are ignored; return how many were added."""
    added = 0
    for piece in filled(rows, width):
        statement = f"INSERT INTO {into} VALUES {values(width, len(piece))} ON CONFLICT DO NOTHING"
        added += connection.execute(statement, flat(piece)).rowcount
    return added


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
