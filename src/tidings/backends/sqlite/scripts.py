"""Scripts, on SQLite: a transaction has the writer for itself, so nothing in them needs to be locked."""

from __future__ import annotations

import re
import sqlite3
from functools import lru_cache
from typing import TypeVar

from tidings.store.scripts.keeping import ALONE, BESIDE, NOW
from tidings.store.scripts.script import Script

T = TypeVar("T")
_LOCK = re.compile(r" FOR (?:NO KEY )?UPDATE(?: OF \w+)?(?: SKIP LOCKED)?")


def run(connection: sqlite3.Connection, script: Script[T]) -> T:
    """Run a script to its end."""
    try:
        statement, held = next(script)
        while True:
            rows = connection.execute(told(statement), held).fetchall()
            statement, held = script.send(rows)
    except StopIteration as ended:
        result: T = ended.value
        return result


_INSTEAD = {NOW: "SELECT ?1", ALONE: "SELECT 1", BESIDE: "SELECT 1"}


@lru_cache(maxsize=256)
def told(statement: str) -> str:
    """Return a statement of a script as SQLite has it."""
    if statement in _INSTEAD:
        return _INSTEAD[statement]
    text = _LOCK.sub("", statement).replace("tidings.", "tidings_")
    return re.sub(r"\$(\d+)(?:::\w+)?", r"?\1", text)
