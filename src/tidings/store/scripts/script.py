"""Statements that are the same on every back end in a database, written down once and run by each.

A script is a generator: it yields a statement with its values, is sent the rows, and returns what came of them. So what
it decides between two statements is decided alike everywhere, and where a back end can do better it has statements of
its own. Text is as PostgreSQL has it: `$1`, tables as `tidings.delivery`; a lock (`FOR UPDATE …`) ends a statement.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
MARK = "/* many rows */ "
CHANGED = " RETURNING 1"
"""How a statement ends of which only the number of rows is asked."""
MANY = 128
"""How many rows one statement is given at most."""
STEP = 16
"""Beyond it a power of two may be far: there would be nearly as many repeats as rows."""

Rows: TypeAlias = list[tuple[Any, ...]]
Columns: TypeAlias = tuple[tuple[str, str], ...]
"""Names and PostgreSQL's types."""
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


def ask_many(statement: str, *values: Any) -> Step:
    """Run a `SELECT` of plain columns that gives many rows; `yield from` gives them. No blobs and no reals.

    Marked, since a back end may have them come together: see `tidings.backends.sqlite.scripts`.
    """
    rows = yield f"{MARK}{statement}", values
    return rows


def chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the rows in order, as many as one statement is given."""
    for start in range(0, len(rows), MANY):
        yield rows[start : start + MANY]


def pieces(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the rows in order, in pieces whose lengths are powers of two, or multiples of `STEP`; the last may end in
    repeats of its last row.

    So a dozen of statements, which stay prepared, serve any number. For those that a repeat does not change.
    """
    for piece in chunks(rows):
        missing = -len(piece) % min(STEP, 1 << (len(piece) - 1).bit_length())
        yield [*piece, *[piece[-1]] * missing]


@lru_cache(maxsize=512)
def places(first: int, count: int) -> str:
    """Return `$3, $4, $5`: places for so many values, from the `first` on."""
    return ", ".join(f"${n}" for n in range(first, first + count))


@lru_cache(maxsize=512)
def from_table(statement: str, columns: Columns, count: int, *, first: int = 1) -> str:
    """Return the statement for a table of so many rows of values, which stands where `{table}` does.

    `first`: the number of the first value in it; those before are the statement's own. A column stands where its name
    in braces does: both databases call those of such a table `column1`, `column2`, ….
    """
    width = len(columns)
    starts = range(first, first + count * width, width)
    rows = (", ".join(f"${n}::{type}" for n, (_, type) in enumerate(columns, start)) for start in starts)
    named = {name: f"t.column{n}" for n, (name, _) in enumerate(columns, 1)}
    return statement.format(**named, table=f"(VALUES {', '.join(f'({row})' for row in rows)}) AS t")
