"""Rows of the log as COPY takes them in binary, made but for their positions while the server works these out.

The format: PostgreSQL's documentation of COPY, "Binary Format". Numbers are big-endian, each value stands behind its
length.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from struct import Struct
from typing import Any

from tidings.log.driver import Position

PIECE = 250
"""So many rows are sent at once."""

COLUMNS = ("pos", "recorded", "slot", "skey", "source", "id", "type", "dataversion", "subject", "attrs", "data")
_BEGIN = b"PGCOPY\n\xff\r\n\x00" + bytes(8)  # no flags, and a header that goes no further
_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"

_position = Struct(">hiq").pack  # behind the number of columns
_unkeyed = Struct(">iqihi").pack
_keyed = Struct(">iqihiq").pack
_int = Struct(">ii").pack
_length = Struct(">i").pack


def rows_of(columns: Sequence[Sequence[Any]], recorded: int) -> list[bytes]:
    """Return the rows without their positions. `columns`: those behind `recorded`, an element for each row."""
    rows = []
    known: dict[tuple[str, str, int], tuple[bytes, bytes]] = {}
    for slot, skey, source, id, type, version, subject, attrs, data in zip(*columns, strict=True):
        usual = known.get((source, type, version))
        if usual is None:
            usual = _value(source.encode()), _value(type.encode()) + _int(4, version)
            known[source, type, version] = usual
        first = _keyed(8, recorded, 2, slot, 8, skey) if skey is not None else _unkeyed(8, recorded, 2, slot, -1)
        text = id.encode()
        about = _NULL if subject is None else _value(subject.encode())
        end = _NULL if data is None else _length(len(data)) + data
        rows.append(
            b"".join((first, usual[0], _length(len(text)), text, usual[1], about, _length(len(attrs)), attrs, end))
        )
    return rows


async def copied(rows: Sequence[tuple[Position, bytes]]) -> AsyncIterator[bytes]:
    """Yield what COPY is given for these rows, each behind its position.

    The server takes one piece in while the next is made.
    """
    count = len(COLUMNS)
    yield _BEGIN
    for start in range(0, len(rows), PIECE):
        yield b"".join([_position(count, 8, position) + row for position, row in rows[start : start + PIECE]])
    yield _END


def _value(value: bytes) -> bytes:
    return _length(len(value)) + value
