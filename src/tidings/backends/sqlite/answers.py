"""Requests under a key: their answers, each a row in the transaction of what was done for it."""

from __future__ import annotations

import sqlite3

from tidings.store.keyed import KeptAnswer, Request


def find(connection: sqlite3.Connection, request: Request) -> KeptAnswer | None:
    """Return what is kept under the request's key; None if it is new."""
    found = connection.execute(
        "SELECT fingerprint, answer FROM tidings_kept_answer WHERE owner = ? AND route = ? AND key = ?",
        (request.owner, request.route, request.key),
    ).fetchone()
    return None if found is None else KeptAnswer(*found)


def keep(connection: sqlite3.Connection, request: Request, answer: bytes) -> None:
    connection.execute(
        "INSERT INTO tidings_kept_answer (owner, route, key, fingerprint, at, answer) VALUES (?, ?, ?, ?, ?, ?)",
        (request.owner, request.route, request.key, request.fingerprint, request.at, answer),
    )


def forget(connection: sqlite3.Connection, *, before: int, limit: int) -> int:
    """Remove the oldest answers kept before this time, `limit` at most; return how many there were."""
    return connection.execute(
        "DELETE FROM tidings_kept_answer WHERE (owner, route, key) IN "
        "(SELECT owner, route, key FROM tidings_kept_answer WHERE at < ? ORDER BY at LIMIT ?)",
        (before, limit),
    ).rowcount
