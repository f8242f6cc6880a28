"""How many entries of each version there are: those in segments are counted already, the others lie in the log."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import compress

import msgspec

from tidings.backends.sqlite.scripts import run
from tidings.events.identity import slot_of
from tidings.log.driver import Position
from tidings.store.scripts import tallying
from tidings.store.versions import Tally


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


Kind = tuple[str, int]
_decode = msgspec.msgpack.Decoder(_Block).decode


def head(connection: sqlite3.Connection) -> Position:
    [position] = connection.execute("SELECT pos FROM tidings_head").fetchone()
    return int(position)


def count(
    connection: sqlite3.Connection, *, after: Position, upto: Position, slots: tuple[int, int] | None
) -> list[Tally]:
    return _tallies(_after(connection, after, upto=upto), slots)


def fold(connection: sqlite3.Connection, *, most: int) -> int:
    """Each time within one segment."""
    after = run(connection, tallying.begin())
    segment = (after + 1) >> tallying.SEGMENT_BITS
    upto = min(head(connection), after + most, ((segment + 1) << tallying.SEGMENT_BITS) - 1)
    if upto <= after:
        return 0
    found = _tallies(_after(connection, after, upto=upto))
    return run(connection, tallying.add([(segment, each) for each in found], upto=upto))


def _after(connection: sqlite3.Connection, after: Position, *, upto: Position) -> Iterator[_Block]:
    """Yield the entries of a range, block by block."""
    statement = "SELECT body FROM tidings_log WHERE pos > ? AND first <= ? ORDER BY pos"
    with closing(connection.execute(statement, (after, upto))) as blocks:
        for (body,) in blocks:
            block = _decode(body)
            first, end = bisect_right(block.positions, after), bisect_right(block.positions, upto)
            yield _Block(block.positions[first:end], block.envelopes[first:end])


def _tallies(blocks: Iterable[_Block], slots: tuple[int, int] | None = None) -> list[Tally]:
    """Count, block by block and not entry by entry: there are as many as were appended."""
    entries: Counter[Kind] = Counter()
    first: dict[Kind, Position] = {}
    last: dict[Kind, Position] = {}
    for block in blocks:
        positions, envelopes = block.positions, block.envelopes
        if slots is not None:
            own = [slots[0] <= slot_of(each.source, each.id, each.subject) < slots[1] for each in envelopes]
            positions, envelopes = [*compress(positions, own)], [*compress(envelopes, own)]
        kinds = [(each.type, each.version) for each in envelopes]
        if kinds and kinds.count(kinds[0]) == len(kinds):  # as in most blocks: a third less than to hash each
            entries[kinds[0]] += len(kinds)
            last[kinds[0]] = positions[-1]
        else:
            entries.update(kinds)
            last.update(zip(kinds, positions, strict=True))
        for kind in last.keys() - first.keys():
            first[kind] = positions[kinds.index(kind)]
    return [
        Tally(type=kind[0], version=kind[1], entries=count, first=first[kind], last=last[kind])
        for kind, count in sorted(entries.items())
    ]
