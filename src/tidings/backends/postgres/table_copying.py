"""Rows of a view's table as COPY takes them in binary: PostgreSQL's documentation of COPY, "Binary Format".

Numbers are big-endian, each value stands behind its length. A column is made in one piece, then all are laced together:
that is a third of what asyncpg's arrays cost, which ask of each element whether it is an array itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from itertools import chain, repeat
from struct import Struct
from typing import Any

import asyncpg

from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.copying import AT_ONCE, BEGIN, END, NULL, PIECE, messages
from tidings.errors import ContendedError

LEAST = 100
"""Of fewer rows, one statement with arrays costs both sides less."""

_PRIMARY = "_pkey"
"""How PostgreSQL has the name of a primary key end, however long the table's is."""

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


class NewRows:
    """Copies rows into one table. `types`: the SQL type of each column; `meta`: the columns behind these."""

    def __init__(
        self, schema: str, table: str, types: Mapping[str, str], nullable: Sequence[bool], *, meta: Sequence[str]
    ) -> None:
        self._schema = schema
        self._table = table
        self._columns = [*types, *meta]
        pairs = zip(types.values(), nullable, strict=True)
        self._makers = [_or_null(_MAKERS[type]) if may_be_null else _MAKERS[type] for type, may_be_null in pairs]

    async def copy(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Copy these rows, none of which is there. ContendedError, also for the transaction, if one is by now."""
        for start in range(0, len(rows), AT_ONCE):
            try:
                await connection.copy_to_table(
                    self._table,
                    schema_name=self._schema,
                    columns=self._columns,
                    source=_copied(self._makers, rows[start : start + AT_ONCE]),
                    format="binary",
                )
            except asyncpg.UniqueViolationError as error:
                if not (error.constraint_name or "").endswith(_PRIMARY):
                    raise  # of an index that is not ours: it would be there each time
                raise ContendedError(f"somebody else made a row of {self._table} meanwhile; repeat the call") from error


async def _copied(makers: Sequence[MakeParts], rows: Sequence[Sequence[Any]]) -> AsyncIterator[bytes]:
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
        piece = b"".join(chain.from_iterable(zip(*parts, strict=False)))  # the count goes on for ever
        for message in messages(piece):
            yield message
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
