"""What operators changed, a row for each; none is ever removed, because views leave out for ever what was dropped."""

from __future__ import annotations

import sqlite3

from tidings.store.audit import Audited, Change

_COLUMNS = "at, who, what, done_to, subject, pos, reason"


def note(connection: sqlite3.Connection, change: Change, *, now: int) -> None:
    connection.execute(
        f"INSERT INTO tidings_audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (now, change.who, change.what, change.on, change.subject, change.position, change.reason),
    )


def listed(connection: sqlite3.Connection, *, before: int | None, limit: int) -> list[Audited]:
    rows = connection.execute(
        f"SELECT n, {_COLUMNS} FROM tidings_audit WHERE n < ? ORDER BY n DESC LIMIT ?",
        (2**63 - 1 if before is None else before, limit),
    )
    return [
        Audited(n=n, at=at, who=who, what=what, on=on, subject=subject, position=position, reason=reason)
        for n, at, who, what, on, subject, position, reason in rows
    ]
