"""Adding many rows in few steps, columns given one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from tidings.backends.sqlite.statements import values

ROWS = 250
"""Rows in one statement: a flush of 1,000 is four of them; more would make the first use of a statement slow."""
EXACT = 64
"""Fewer rows than these, as webhooks and single appends bring them, are one statement, which stays prepared: each other
one is one more wait for the interpreter's lock."""


def add_rows(connection: sqlite3.Connection, into: str, columns: Sequence[Iterable[Any]], *, tail: str = "") -> int:
    """Insert rows `into` a table, its column names behind it; return how many were added.

    `columns`: for each of them its values, row by row. `tail`: what follows VALUES, as `ON CONFLICT DO NOTHING`.
    """
    held = list(chain.from_iterable(zip(*columns, strict=True)))
    return add_values(connection, into, held, width=len(columns), tail=tail)


def add_values(
    connection: sqlite3.Connection,
    into: str,
    held: Sequence[Any],
    *,
    width: int,
    tail: str = "",
    shared: Sequence[Any] = (),
) -> int:
    """Insert rows as `add_rows` does; `held`: all their values one after the other, `width` of each.

    `shared`: values of the first columns, the same in every row: these are handed over once.
    """
    added = start = 0
    for size in pieces(len(held) // width):
        end = start + size * width
        own = held[start:end]
        statement = _insert(into, tail, width=width, size=size, shared=len(shared))
        added += connection.execute(statement, (*shared, *own) if shared else own).rowcount
        start = end
    return added


def pieces(count: int) -> Iterator[int]:
    """Yield sizes that add up to `count`: few, and few different ones, so that their statements stay prepared."""
    yield from [ROWS] * (count // ROWS)
    rest = count % ROWS
    below = rest % EXACT
    yield from [size for size in (rest - below, below) if size]


@lru_cache(maxsize=512)
def _insert(into: str, tail: str, *, width: int, size: int, shared: int) -> str:
    row = values(width, 1)
    if shared:
        row = f"({','.join(f'?{n + 1}' for n in range(shared))},{row[1:]}"
    return f"INSERT INTO {into} VALUES {','.join([row] * size)} {tail}"
