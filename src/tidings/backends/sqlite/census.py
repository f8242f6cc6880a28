"""How many entries of each version there are: those in segments are counted already, the others lie in the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import TypeVar

import msgspec

from tidings.backends.sqlite.scripts import run
from tidings.events.identity import slot_of
from tidings.log.driver import Position
from tidings.store.scripts import tallying
from tidings.store.versions import Tally

K = TypeVar("K")
Kind = tuple[str, int]


class _Named(msgspec.Struct, array_like=True, gc=False):
    """An envelope as far as it has to be decoded here."""

    id: str
    source: str
    type: str
    version: int = 1
    subject: str | None = None


class _Block(msgspec.Struct, array_like=True, gc=False):
    positions: list[int]
    envelopes: list[_Named]


_decode = msgspec.msgpack.Decoder(_Block).decode


def head(connection: sqlite3.Connection) -> Position:
    [position] = connection.execute("SELECT pos FROM tidings_head").fetchone()
    return int(position)


def count(connection: sqlite3.Connection, *, after: Position, slots: tuple[int, int] | None) -> list[Tally]:
    found: dict[Kind, list[int]] = {}
    for position, each in _after(connection, after, upto=head(connection)):
        if slots is None or slots[0] <= slot_of(each.source, each.id, each.subject) < slots[1]:
            _add(found, (each.type, each.version), position)
    return [_tally(kind, counts) for kind, counts in sorted(found.items())]


def fold(connection: sqlite3.Connection, *, most: int) -> int:
    after = run(connection, tallying.begin())
    upto = min(head(connection), after + most)
    found: dict[tuple[int, Kind], list[int]] = {}
    for position, each in _after(connection, after, upto=upto):
        _add(found, (position >> tallying.SEGMENT_BITS, (each.type, each.version)), position)
    segments = [(segment, _tally(kind, counts)) for (segment, kind), counts in sorted(found.items())]
    return run(connection, tallying.add(segments, upto=upto)) if upto > after else 0


def _after(connection: sqlite3.Connection, after: Position, *, upto: Position) -> Iterator[tuple[Position, _Named]]:
    statement = "SELECT body FROM tidings_log WHERE pos > ? AND first <= ? ORDER BY pos"
    with closing(connection.execute(statement, (after, upto))) as blocks:
        for (body,) in blocks:
            block = _decode(body)
            entries = zip(block.positions, block.envelopes, strict=True)
            yield from (entry for entry in entries if after < entry[0] <= upto)


def _add(found: dict[K, list[int]], key: K, position: Position) -> None:
    counts = found.get(key)
    if counts is None:
        found[key] = [1, position, position]
    else:
        counts[0] += 1
        counts[2] = position


def _tally(kind: Kind, counts: list[int]) -> Tally:
    entries, first, last = counts
    return Tally(type=kind[0], version=kind[1], entries=entries, first=first, last=last)
