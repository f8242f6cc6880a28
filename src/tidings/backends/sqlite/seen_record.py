"""How keys are kept: records of 24 bytes, many in one value, so that to move and search them is not a step for each.

A record is the key's 16 bytes and its position, in big-endian order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from struct import Struct
from typing import Any

from tidings.log.driver import Position
from tidings.log.seen_key import KEY_BYTES

Known = dict[bytes, Position]
"""Keys that are kept, with their positions."""

RECORD_BYTES = 24
NUMBER_BITS = 64
"""A key's first 8 bytes are one number: it says where the key stands in a run and in its filter."""

_MANY = 128  # taken at once, a third of the cost of one at a time
_RECORD, _RECORDS = Struct(">16sq"), Struct(">" + "16sq" * _MANY)
_PIECE, _PIECES = Struct("24s"), Struct("24s" * _MANY)
_NUMBER, _NUMBERS = Struct(">Q16x"), Struct(">" + "Q16x" * _MANY)
_FOUND = Struct(">q")


def records_of(keys: Sequence[bytes], positions: Sequence[Position]) -> bytes:
    """Return the records of these keys, one after the other."""
    fields = list(chain.from_iterable(zip(keys, positions, strict=True)))
    width = 2 * _MANY
    even = len(fields) - len(fields) % width
    packed = [_RECORDS.pack(*fields[at : at + width]) for at in range(0, even, width)]
    return b"".join(packed + [_RECORD.pack(*fields[at : at + 2]) for at in range(even, len(fields), 2)])


def fields_of(records: Sequence[bytes]) -> tuple[list[bytes], list[Position]]:
    """Return the keys of records that stand one by one, and their positions."""
    return [record[:KEY_BYTES] for record in records], [int.from_bytes(record[KEY_BYTES:], "big") for record in records]


def split(records: bytes) -> list[bytes]:
    """Return the records one by one."""
    return list(_each(records, _PIECE, _PIECES))


def numbers_of(records: bytes) -> list[int]:
    """Return the number of each record's key."""
    return list(_each(records, _NUMBER, _NUMBERS))


def number_of(key: bytes) -> int:
    return int.from_bytes(key[: NUMBER_BITS // 8], "big")


def _each(records: bytes, one: Struct, many: Struct) -> chain[Any]:
    even = len(records) - len(records) % many.size
    parts = many.iter_unpack(records[:even]), one.iter_unpack(records[even:])
    return chain.from_iterable(chain.from_iterable(parts))


def keys_of(records: bytes) -> list[bytes]:
    return [records[at : at + KEY_BYTES] for at in range(0, len(records), RECORD_BYTES)]


def find_in(records: bytes, key: bytes) -> Position | None:
    """Return the position of a key; None if it is not there."""
    at = records.find(key)
    while at > 0 and at % RECORD_BYTES:  # by chance, somewhere across
        at = records.find(key, at + 1)
    if at < 0:
        return None
    position: Position = _FOUND.unpack_from(records, at + KEY_BYTES)[0]
    return position


def without(records: bytes, keys: frozenset[bytes]) -> bytes:
    """Return the records of all other keys."""
    return b"".join([record for record in split(records) if record[:KEY_BYTES] not in keys])


def cut(records: bytes, *, slices: int, first: int, count: int) -> list[bytes]:
    """Return the records of each of `count` slices from the `first` on, where `slices` make up all keys.

    All records belong there. A slice's are in no order: it is searched as it is.
    """
    shift = NUMBER_BITS - slices.bit_length() + 1
    piles: list[list[bytes]] = [[] for _ in range(count)]
    for number, record in zip(numbers_of(records), split(records), strict=True):
        piles[(number >> shift) - first].append(record)
    return [b"".join(pile) for pile in piles]
