"""The handler's own statements, inside the unit."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tidings.errors import RefusedError

Run = Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]]

# What may stand before the first word: SQLite skips it, so it must not hide the word from us.
_FIRST_WORD = re.compile(r"(?:[\s;\ufeff]|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*([A-Za-z]*)", re.DOTALL)
_ALLOWED = frozenset(
    {"SELECT", "WITH", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE", "EXPLAIN"}
    | {"CREATE", "DROP", "ALTER", "ANALYZE", "REINDEX"}
)


def refuse_control(statement: str) -> None:
    """RefusedError for a statement that would end, split or leave the unit's transaction."""
    found = _FIRST_WORD.match(statement)
    word = found[1].upper() if found else ""
    if word == "PRAGMA":
        raise RefusedError("PRAGMA is not run in a unit; to read one, select from its function: pragma_table_info('…')")
    if word not in _ALLOWED:
        raise RefusedError(
            f"{word or statement[:20]!r} is not run in a unit, which begins, commits and rolls back by itself: "
            "leave it out, or use `unit.savepoint()`"
        )


class HandlerSql:
    """Runs statements in the unit's transaction, each of them in one hop to the writer's thread."""

    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        self._run = run

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        refuse_control(statement)

        def job(connection: sqlite3.Connection) -> int:
            before = connection.total_changes
            cursor = connection.execute(statement, parameters)
            cursor.fetchall()
            if cursor.rowcount < 0 and connection.total_changes > before:  # Python does not count after WITH
                return int(connection.execute("SELECT changes()").fetchone()[0])
            return max(cursor.rowcount, 0)

        changed: int = await self._run(job)
        return changed

    async def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        refuse_control(statement)
        rows: list[tuple[Any, ...]] = await self._run(
            lambda connection: connection.execute(statement, parameters).fetchall()
        )
        return rows
