"""Rows of the log as COPY takes them in binary, made but for their positions while the server works these out.

The format: PostgreSQL's documentation of COPY, "Binary Format". Numbers are big-endian, each value stands behind its
length.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from struct import Struct
from typing import Any

import asyncpg

from tidings.log.driver import Position

AT_ONCE = 500
"""So many rows are copied by one statement. The server gathers up to 1,000, and with each one it passes over all those
that it holds already: 1.6 µs a row for 1,000 at once, half of it for 500."""
PIECE = 250
"""So many rows are sent at once: the server takes one piece in while the next is made."""

MESSAGE_BYTES = 256 * 1024
"""So much is sent in one message. The server counts a message once it is there as a whole, and whoever looks whether a
COPY makes progress sees no more."""

COLUMNS = ("pos", "recorded", "slot", "skey", "source", "id", "type", "dataversion", "subject", "attrs", "data")
BEGIN = b"PGCOPY\n\xff\r\n\x00" + bytes(8)  # no flags, and a header that goes no further
END = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"

_position = Struct(">hiq").pack  # behind the number of columns
_unkeyed = Struct(">iqihi").pack
_keyed = Struct(">iqihiq").pack
_int = Struct(">ii").pack
_length = Struct(">i").pack


class _Lengths(dict[int, bytes]):
    """Lengths as they are sent. Nearly all are short, and looked up in half the time that making them takes."""

    def __missing__(self, length: int) -> bytes:
        return _length(length)


_LENGTHS = _Lengths({length: _length(length) for length in range(1_024)})


def rows_of(columns: Sequence[Sequence[Any]], recorded: int) -> list[bytes]:
    """Return the rows without their positions. `columns`: those behind `recorded`, an element for each row."""
    rows = []
    known: dict[tuple[str, str, int], tuple[bytes, bytes]] = {}
    lengths = _LENGTHS
    for slot, skey, source, id, type, version, subject, attrs, data in zip(*columns, strict=True):
        usual = known.get((source, type, version))
        if usual is None:
            usual = _value(source.encode()), _value(type.encode()) + _int(4, version)
            known[source, type, version] = usual
        first = _keyed(8, recorded, 2, slot, 8, skey) if skey is not None else _unkeyed(8, recorded, 2, slot, -1)
        text, about = id.encode(), (subject or "").encode()
        size = NULL if subject is None else lengths[len(about)]
        end = NULL if data is None else lengths[len(data)]
        middle = (lengths[len(text)], text, usual[1], size, about, lengths[len(attrs)], attrs)
        rows.append(b"".join((first, usual[0], *middle, end, data or b"")))
    return rows


async def copy(connection: asyncpg.Connection, rows: Sequence[tuple[Position, bytes]]) -> None:
    """Copy these rows into the log, each behind its position."""
    for start in range(0, len(rows), AT_ONCE):
        await connection.copy_to_table(
            "log",
            schema_name="tidings",
            source=_copied(rows[start : start + AT_ONCE]),
            columns=COLUMNS,
            format="binary",
        )


async def _copied(rows: Sequence[tuple[Position, bytes]]) -> AsyncIterator[bytes]:
    """Yield what COPY is given."""
    count = len(COLUMNS)
    yield BEGIN
    for start in range(0, len(rows), PIECE):
        piece = b"".join([_position(count, 8, position) + row for position, row in rows[start : start + PIECE]])
        for message in messages(piece):
            yield message
    yield END


def messages(piece: bytes) -> Iterator[bytes]:
    """Return what to send of a piece at once, one behind the other."""
    return (piece[start : start + MESSAGE_BYTES] for start in range(0, len(piece), MESSAGE_BYTES))


def _value(value: bytes) -> bytes:
    return _length(len(value)) + value
