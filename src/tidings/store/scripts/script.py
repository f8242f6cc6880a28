"""Statements that are the same on every back end in a database, written down once and run by each.

A script is a generator: it yields a statement with its values, is sent the rows, and returns what came of them. So what
it decides between two statements is decided alike everywhere, and where a back end can do better it has statements of
its own. Text is as PostgreSQL has it: `$1`, tables as `tidings.delivery`; a lock (`FOR UPDATE …`) ends a statement.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

Rows: TypeAlias = list[tuple[Any, ...]]
Script: TypeAlias = Generator[tuple[str, tuple[Any, ...]], Rows, T]
"""Yields statements, is sent rows, returns."""
Step: TypeAlias = Script[Rows]


def ask(statement: str, *values: Any) -> Step:
    """Run one statement; `yield from` gives its rows."""
    rows = yield statement, values
    return rows


def count(statement: str, *values: Any) -> Script[int]:
    """Run a statement that returns a row for each it changed; return how many there were."""
    return len((yield from ask(statement, *values)))
