"""Ids that were taken in, noted in the user's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tidings.backends.sqlite.statements import filled, flat, values
from tidings.events.envelope import Entry
from tidings.log.driver import Position
from tidings.store.inbox import columns_of, other_content


def take_in(connection: sqlite3.Connection, consumer: str, entries: Sequence[Entry]) -> frozenset[Position]:
    """Note the entries' ids; return the positions of those that are new. ConflictError for an id with other content."""
    secret = connection.execute("SELECT secret FROM tidings_head").fetchone()[0]
    given = [(entry, *columns_of(entry.envelope, secret)) for entry in entries]
    kept = _kept(connection, consumer, [k for _, k, _ in given])
    new: list[tuple[str, bytes, int, Position]] = []
    for entry, k, h in given:
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
