"""Rows of a view's table as COPY takes them in binary: PostgreSQL's documentation of COPY, "Binary Format".

Numbers are big-endian, each value stands behind its length. A column is made in one piece, then all are laced together:
that is a third of what asyncpg's arrays cost, which ask of each element whether it is an array itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import chain, repeat
from struct import Struct
from typing import Any

from tidings.backends.postgres.copying import BEGIN, END, NULL, PIECE

LEAST = 100
"""Of fewer rows, one statement with arrays costs both sides less."""

Parts = list[Iterable[bytes]]
"""What each row has of a column: of each of these the next one, one behind the other."""
MakeParts = Callable[[Sequence[Any]], Parts]

_count = Struct(">h").pack
_length = Struct(">i").pack
_long = Struct(">iq").pack
_double = Struct(">id").pack
_meta = Struct(">iqihihiqiq").pack
_META_VALUES = 5
_BOOLEANS = {value: Struct(">i?").pack(1, value) for value in (False, True)}


def maker_of(type: str, *, nullable: bool) -> MakeParts:
    """Return what makes a column of this SQL type."""
    make = _MAKERS[type]
    return _or_null(make) if nullable else make


async def copied(makers: Sequence[MakeParts], rows: Sequence[Sequence[Any]]) -> AsyncIterator[bytes]:
    """Yield what COPY is given. `rows`: the values by the `makers`; then rank, settled, kind, hash and position."""
    width = len(makers)
    count = _count(width + _META_VALUES)
    yield BEGIN
    for start in range(0, len(rows), PIECE):
        columns = list(zip(*rows[start : start + PIECE], strict=True))
        parts: Parts = [repeat(count)]
        for make, column in zip(makers, columns[:width], strict=True):
            parts += make(column)
        parts.append(_ranked(*columns[width:]))
        yield b"".join(chain.from_iterable(zip(*parts, strict=False)))  # the count goes on for ever
    yield END


def _ranked(
    at: Iterable[int], settled: Iterable[int], kind: Iterable[int], hash: Iterable[int], position: Iterable[int]
) -> Iterable[bytes]:
    eight, two = repeat(8), repeat(2)
    return map(_meta, eight, at, two, settled, two, kind, eight, hash, eight, position)


def _texts(column: Sequence[str]) -> Parts:
    return _blobs([text.encode() for text in column])


def _blobs(column: Sequence[bytes]) -> Parts:
    return [map(_length, map(len, column)), column]


def _longs(column: Sequence[int]) -> Parts:
    return [map(_long, repeat(8), column)]


def _doubles(column: Sequence[float]) -> Parts:
    return [map(_double, repeat(8), column)]


def _booleans(column: Sequence[bool]) -> Parts:
    return [[_BOOLEANS[value] for value in column]]


_MAKERS: dict[str, MakeParts] = {
    "text": _texts,
    "json": _texts,
    "bytea": _blobs,
    "bigint": _longs,
    "double precision": _doubles,
    "boolean": _booleans,
}


def _or_null(make: MakeParts) -> MakeParts:
    def made(column: Sequence[Any]) -> Parts:
        there = zip(*make([value for value in column if value is not None]), strict=True)
        return [[NULL if value is None else b"".join(next(there)) for value in column]]

    return made
