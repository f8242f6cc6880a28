"""Commands that were done under a key: a row for each, for ever."""

from __future__ import annotations

import sqlite3

from tidings.store.commands import is_done


def find(connection: sqlite3.Connection, service: str, key: str) -> int | None:
    """Return how many events it emitted; None if it is not known."""
    statement = "SELECT emitted FROM tidings_command WHERE service = ? AND key = ?"
    found = connection.execute(statement, (service, key)).fetchone()
    return None if found is None else int(found[0])


def remember(connection: sqlite3.Connection, service: str, key: str, emitted: int) -> None:
    """Note it; RefusedError if it is noted already."""
    statement = "INSERT INTO tidings_command (service, key, emitted) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    if connection.execute(statement, (service, key, emitted)).rowcount == 0:
        raise is_done(service, key)
