"""The handler's own statements, inside the unit. Placeholders are `?`, or `$1`, `$2`, … as on PostgreSQL."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tidings.errors import RefusedError

Run = Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]]

# What may stand before the first word: SQLite skips it, so it must not hide the word from us.
_FIRST_WORD = re.compile(r"(?:[\s;\ufeff]|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*([A-Za-z]*)", re.DOTALL)
# A placeholder with a number; what stands in quotes and comments is none, and comes first.
_NUMBERED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|(\$[0-9]+)", re.DOTALL)
_DEFINES = frozenset({"CREATE", "DROP", "ALTER", "ANALYZE", "REINDEX"})
_ALLOWED = frozenset({"SELECT", "WITH", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE", "EXPLAIN"}) | _DEFINES


def first_word(statement: str) -> str:
    """Return the word that a statement begins with, in capitals; "" if none."""
    found = _FIRST_WORD.match(statement)
    return found[1].upper() if found else ""


def refuse_control(statement: str) -> None:
    """RefusedError for a statement that would end, split or leave the unit's transaction."""
    word = first_word(statement)
    if word == "PRAGMA":
        raise RefusedError("PRAGMA is not run in a unit; to read one, select from its function: pragma_table_info('…')")
    if word not in _ALLOWED:
        raise RefusedError(
            f"{word or statement[:20]!r} is not run in a unit, which begins, commits and rolls back by itself: "
            "leave it out, or use `unit.savepoint()`"
        )


def bound(statement: str, parameters: Sequence[Any]) -> Sequence[Any] | Mapping[str, Any]:
    """Return the parameters as SQLite wants them: `$1` is a name there, and names stand in the order they come in."""
    if any(found[1] for found in _NUMBERED.finditer(statement)):
        return {str(number): value for number, value in enumerate(parameters, 1)}
    return parameters


# Where SQLite says which tables, or things upon them, a statement writes: in the first name, the second, or both.
_FIRST = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_SECOND = frozenset({sqlite3.SQLITE_ALTER_TABLE})
_BOTH = frozenset(
    getattr(sqlite3, f"SQLITE_{what}_{kind}")
    for what in ("CREATE", "DROP")
    for kind in ("TABLE", "TEMP_TABLE", "VIEW", "TEMP_VIEW", "INDEX", "TEMP_INDEX", "TRIGGER", "TEMP_TRIGGER", "VTABLE")
)
_OF_VIEWS = frozenset(
    getattr(sqlite3, f"SQLITE_{what}_{kind}") for what in ("CREATE", "DROP") for kind in ("VIEW", "TEMP_VIEW")
)
_PUBLISHED = "SELECT service || '_' || name FROM tidings_view"
_OURS = re.compile(r"tidings_.*|.*__v[0-9]+(__members)?", re.DOTALL)


class Guard:
    """Runs handlers' statements on the writer, and refuses those that write tables of tidings or of views.

    SQLite tells what a statement writes when it prepares it, whatever its text looks like and through any trigger.
    """

    __slots__ = ("_handlers", "_published", "_refused", "_watched")

    def __init__(self) -> None:
        self._watched: sqlite3.Connection | None = None
        self._handlers = False
        self._refused: str | None = None
        self._published: frozenset[str] = frozenset()

    def execute(self, connection: sqlite3.Connection, statement: str, parameters: Sequence[Any]) -> sqlite3.Cursor:
        """Run a handler's statement, on the writer's thread; RefusedError if it writes what is not the handler's."""
        if self._watched is not connection:
            # For good: whenever it is set, SQLite prepares all statements of the connection anew.
            connection.set_authorizer(self._judge)
            self._watched = connection
        if first_word(statement) in _DEFINES:
            self._published = frozenset(name for (name,) in connection.execute(_PUBLISHED))
        self._handlers, self._refused = True, None
        try:
            # Prepared statements are kept by their text: with this behind it, none of ours can pass for a handler's.
            return connection.execute(f"{statement}\n-- a handler's", bound(statement, parameters))
        except sqlite3.DatabaseError as error:
            if self._refused is None:
                raise
            raise RefusedError(
                f"{self._refused} is not a handler's to write: views are written by folds, ctx.put and ctx.delete, and "
                "names that begin with tidings_ or end in __v and a number are taken; make a table of another name"
            ) from error
        finally:
            self._handlers = False

    def _judge(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if not self._handlers:
            return sqlite3.SQLITE_OK
        named = (first if action in _FIRST | _BOTH else None, second if action in _SECOND | _BOTH else None)
        for name in named:
            if name is not None and self._is_ours(action, name.lower()):
                self._refused = name
                return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    def _is_ours(self, action: int, name: str) -> bool:
        return _OURS.fullmatch(name) is not None or (action in _OF_VIEWS and name in self._published)


class HandlerSql:
    """Runs statements in the unit's transaction, each of them in one hop to the writer's thread."""

    __slots__ = ("_guard", "_run")

    def __init__(self, run: Run, guard: Guard) -> None:
        self._run = run
        self._guard = guard

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        refuse_control(statement)

        def job(connection: sqlite3.Connection) -> int:
            before = connection.total_changes
            cursor = self._guard.execute(connection, statement, parameters)
            cursor.fetchall()
            if cursor.rowcount < 0 and connection.total_changes > before:  # Python does not count after WITH
                return int(connection.execute("SELECT changes()").fetchone()[0])
            return max(cursor.rowcount, 0)

        changed: int = await self._run(job)
        return changed

    async def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        refuse_control(statement)
        rows: list[tuple[Any, ...]] = await self._run(
            lambda connection: self._guard.execute(connection, statement, parameters).fetchall()
        )
        return rows
