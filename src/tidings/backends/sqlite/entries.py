"""Rows of the log: blocks of entries that were appended together, and where each subject's entries stand.

A block is one value. A row for each entry would cost five times as much to add and ten times as much to read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from typing import Any

import msgspec

from tidings.backends.sqlite.multirow import add_rows
from tidings.events.envelope import Entry, Envelope
from tidings.events.identity import subject_keys
from tidings.log.driver import Position

READ = "recorded, body"
"""The columns of a block that `entries_of` takes."""

BUCKET_BITS = 14
"""The subject index is made of buckets of 2^14 positions, so that an append writes to few of its pages.

A batch of 1,000 subjects dirties most pages of the newest bucket: 80 of them, where 2^18 would make it 1,200. Whoever
looks for a subject probes each bucket from the position on that it asks from.
"""

BLOCK_ENTRIES = 32
BLOCK_BYTES = 32 * 1024
"""A block is closed when it holds so many entries or bytes: one entry is found by reading all of its block."""


class _Body(msgspec.Struct, array_like=True, gc=False):
    positions: list[int]
    envelopes: list[Envelope]


_PAIR, _ARRAY = b"\x92", b"\xdc"  # MessagePack: an array of two, an array whose length follows in 2 bytes
_encoder = msgspec.msgpack.Encoder(enc_hook=dict)  # for attributes that are some other mapping
_decode = msgspec.msgpack.Decoder(_Body).decode


@dataclass(frozen=True, slots=True)
class Kept:
    """Envelopes as blocks keep them: each encoded, and the `subject_key` of its subject, None if it has none."""

    encoded: Sequence[bytes]
    skeys: Sequence[int | None]

    def some(self, places: Sequence[int]) -> Kept:
        """Return only those at these places."""
        return Kept([self.encoded[n] for n in places], [self.skeys[n] for n in places])


def encode(envelope: Envelope) -> bytes:
    """Return the envelope as a block keeps it."""
    return _encoder.encode(envelope)


def kept_of(envelopes: Sequence[Envelope], encoded: Sequence[bytes]) -> Kept:
    """Return what keeps these envelopes. `encoded`: each, as `encode` gives it."""
    subjects = [envelope.subject for envelope in envelopes]
    named = [subject for subject in subjects if subject is not None]
    keys = subject_keys(named)
    if len(named) == len(subjects):
        return Kept(encoded, keys)
    following = iter(keys)
    return Kept(encoded, [None if subject is None else next(following) for subject in subjects])


def add_entries(connection: sqlite3.Connection, kept: Kept, *, positions: Sequence[Position], recorded: int) -> None:
    """Keep envelopes in the log. `positions`: theirs, rising; `recorded`: now, in µs since 1970."""
    blocks: list[tuple[Any, ...]] = []
    subjects: set[tuple[int | None, Position]] = set()
    for start, stop in _blocks(kept.encoded, positions):
        first, last = positions[start], positions[stop - 1]
        blocks.append((last, first, recorded, body_of(positions[start:stop], kept.encoded[start:stop])))
        subjects.update(zip(kept.skeys[start:stop], repeat(last), strict=False))
    add_rows(connection, "tidings_log (pos, first, recorded, body)", tuple(zip(*blocks, strict=True)))
    _add_subjects(connection, subjects)


def body_of(positions: Sequence[Position], encoded: Sequence[bytes]) -> bytes:
    """Return what `_Body` decodes. The arrays' heads are written here: the envelopes are encoded already."""
    count = len(encoded).to_bytes(2, "big")
    return b"".join((_PAIR, _encoder.encode([*positions]), _ARRAY, count, *encoded))


def _add_subjects(connection: sqlite3.Connection, subjects: Iterable[tuple[int | None, Position]]) -> None:
    """Note in which blocks subjects stand, in the index's own order."""
    found = sorted([subject for subject in subjects if subject[0] is not None], key=itemgetter(0))
    if found:
        skeys, positions = zip(*found, strict=True)
        buckets = [position >> BUCKET_BITS for position in positions]
        into = "tidings_log_subject (bucket, skey, pos)"
        add_rows(connection, into, (buckets, skeys, positions))


def _blocks(encoded: Sequence[bytes], positions: Sequence[Position]) -> Iterator[tuple[int, int]]:
    """Yield where each block starts and stops. None spans more than a bucket's positions, whatever is left out."""
    start, end = 0, len(encoded)
    while start < end:
        stop = min(start + BLOCK_ENTRIES, end)
        while stop - start > 1 and (
            sum(map(len, encoded[start:stop])) > BLOCK_BYTES or positions[stop - 1] - positions[start] >> BUCKET_BITS
        ):
            stop = (start + stop) // 2
        yield start, stop
        start = stop


def entries_of(recorded: int, body: bytes) -> list[Entry]:
    """Return the entries of the block that was read as `READ`."""
    block = _decode(body)
    return [*map(Entry, block.positions, repeat(recorded), block.envelopes)]
