"""SQL for many rows in few steps.

Every step of a statement gives Python's interpreter lock away and takes it back, so a busy event loop makes a thousand
steps a thousand waits; and `fetchall` is a step a row. Hence rows travel together: there in multi-row VALUES, back as
one JSON array. The counts of VALUES are powers of two, the last ones filled up with repeats of the last row: then a
handful of statements, which stay prepared, serve every count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

from tidings.errors import RefusedError

T = TypeVar("T")

ROWS = 256
VARIABLES = 30_000  # SQLite's own limit is 32,766

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def values(width: int, count: int) -> str:
    """Return `(?,?),(?,?)`: `count` rows of `width` placeholders."""
    row = f"({','.join('?' * width)})"
    return ",".join([row] * count)


def filled(rows: Sequence[T], width: int, *, most: int = ROWS, step: int = ROWS) -> Iterator[Sequence[T]]:
    """Yield the rows in order, in pieces whose lengths are powers of two; the last may end in repeats of its last row.

    For statements that a repeat does not change: upserts, `DO NOTHING`, joins. `step`: a power of two; lengths above it
    are its multiples, where a repeat costs more than another statement that stays prepared.
    """
    while most * width > VARIABLES:
        most //= 2
    for start in range(0, len(rows), most):
        piece = rows[start : start + most]
        missing = -len(piece) % min(step, 1 << (len(piece) - 1).bit_length())
        yield [*piece, *[piece[-1]] * missing] if missing else piece


def packed(columns: str, source: str) -> str:
    """Return the query that gives `columns` of all rows of `source` as one value: bytes of a JSON array of arrays.

    Not for blobs, which JSON cannot hold, nor for reals, which SQLite would write with too few digits.
    """
    return f"SELECT CAST(json_group_array(json_array({columns})) AS BLOB) FROM {source}"


def flat(rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Return all values of the rows, one after the other."""
    return [*chain.from_iterable(rows)]


def table_name(name: str) -> str:
    """Return the name quoted; RefusedError unless it is made of lower case letters, digits and '_'."""
    if not _NAME.fullmatch(name):
        raise RefusedError(f"{name!r} cannot name a table: use a to z, 0 to 9 and '_', beginning with a letter")
    return f'"{name}"'


def column_name(name: str) -> str:
    """Return the name quoted; RefusedError unless it is made of letters, digits and '_'. A '_' in front is ours."""
    if not _COLUMN.fullmatch(name):
        raise RefusedError(f"{name!r} cannot name a column: use letters, digits and '_', beginning with a letter")
    return f'"{name}"'
