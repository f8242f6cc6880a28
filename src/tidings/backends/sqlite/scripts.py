"""Scripts, on SQLite: a transaction has the writer for itself, so nothing in them needs to be locked."""

from __future__ import annotations

import re
import sqlite3
from functools import lru_cache
from typing import Any, TypeVar

from msgspec.json import decode

from tidings.backends.sqlite.statements import packed
from tidings.store.scripts.keeping import ALONE, BESIDE, NOW
from tidings.store.scripts.registering import ALONE as ALONE_WITH_TYPE
from tidings.store.scripts.script import CHANGED, MARK, Rows, Script

T = TypeVar("T")
_JOINED = re.compile(r"string_agg\((.*), '' ORDER BY \w+\)")
"""Without the order, which SQLite has only of late: it is that of the primary key, by which the rows are found."""
_LOCK = re.compile(r" FOR (?:NO KEY )?UPDATE(?: OF \w+)?(?: SKIP LOCKED)?")


def run(connection: sqlite3.Connection, script: Script[T]) -> T:
    """Run a script to its end."""
    try:
        statement, held = next(script)
        while True:
            statement, held = script.send(_rows(connection, statement, held))
    except StopIteration as ended:
        result: T = ended.value
        return result


def _rows(connection: sqlite3.Connection, statement: str, held: tuple[Any, ...]) -> Rows:
    """Run one statement. A row is a step, and each step may wait for the interpreter's lock: so many come as one."""
    if statement in _KNOWN:
        return [held or (1,)]
    cursor = connection.execute(told(statement), held)
    if statement.endswith(CHANGED):
        return [(1,)] * cursor.rowcount
    rows = cursor.fetchall()
    return [tuple(row) for row in decode(rows[0][0])] if statement.startswith(MARK) else rows


_KNOWN = frozenset((NOW, ALONE, BESIDE, ALONE_WITH_TYPE))
"""What needs no statement: it is as late as whoever asks says, and who has the writer is alone."""


@lru_cache(maxsize=512)
def told(statement: str) -> str:
    """Return a statement of a script as SQLite has it."""
    if statement.startswith(MARK):
        statement = statement.removeprefix(MARK)
        columns = statement.removeprefix("SELECT ").partition(" FROM ")[0]
        return packed(columns, f"({told(statement)})")
    statement = statement.removesuffix(CHANGED)
    text = _LOCK.sub("", statement).replace("tidings.", "tidings_").replace(' COLLATE "C"', " COLLATE BINARY")
    text = _JOINED.sub(r"CAST(group_concat(\1, '') AS BLOB)", text)
    return re.sub(r"\$(\d+)(?:::\w+)?", r"?\1", text)
