"""Two sides find their differences by asking each other: all ranges of a level in one message.

`levels = ceil(log16(rows / 32)) + 1`, and one more message for the rows of the other side; each round trip is two. With
differences among more than one row in a hundred whole lists of rows cost less than three times as much. Pure: who
carries the messages is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tidings.errors import MalformedError
from tidings.fingerprints.frames import LEAF, LEVELS_MAX, Cut, Leaf, read, written
from tidings.fingerprints.sheet import Bound, Sheet

WAYS = 16


@dataclass(frozen=True, slots=True)
class Differing:
    """A key whose rows differ. `ours`, `theirs`: their hashes, None for no row."""

    key: bytes
    ours: int | None
    theirs: int | None


class Peer:
    """One of two sides. Both end with the same `differing`, by key, seen from their own side.

    `secret`: the id of the key that its rows are hashed with.
    """

    def __init__(self, sheet: Sheet, secret: bytes) -> None:
        self._sheet = sheet
        self._secret = secret
        self.differing: dict[bytes, Differing] = {}

    def opening(self) -> list[bytes]:
        """Return the first message."""
        return written(self._secret, 1, [self._cut(b"", None)])

    def answer(self, message: Sequence[bytes]) -> list[bytes]:
        """Return what follows from a message; nothing if that ends it. MalformedError, and nothing is learned, if one
        of its frames is none."""
        frames = [read(frame, self._secret) for frame in message]
        level = max((frame.level for frame in frames), default=0) + 1
        said: list[Cut | Leaf] = []
        for frame in frames:
            said += [each for cut in frame.cuts for each in self._compared(cut)]
            said += [each for leaf in frame.leaves for each in self._learned(leaf)]
        if said and level > LEVELS_MAX:
            raise MalformedError(f"after {LEVELS_MAX} levels there is still no end")
        return written(self._secret, level, said)

    def _compared(self, cut: Cut) -> Iterator[Cut | Leaf]:
        for start, end, theirs in cut.parts():
            ours = self._sheet.fingerprint(start, end)
            if ours == theirs:
                continue
            if max(ours.rows, theirs.rows) < LEAF:
                yield Leaf.of(start, end, list(self._sheet.rows(start, end)), asks=True)
            else:
                yield self._cut(start, end)

    def _learned(self, leaf: Leaf) -> Iterator[Leaf]:
        if self._sheet.fingerprint(leaf.start, leaf.end).rows >= LEAF:
            raise MalformedError(f"the frame asks for a range of {LEAF} rows and more, row by row")
        rows = list(self._sheet.rows(leaf.start, leaf.end))
        ours, theirs = dict(rows), leaf.rows()
        for key in ours.keys() | theirs.keys():
            if ours.get(key) != theirs.get(key):
                self.differing[key] = Differing(key, ours.get(key), theirs.get(key))
        if leaf.asks:
            yield Leaf.of(leaf.start, leaf.end, rows, asks=False)

    def _cut(self, start: bytes, end: Bound) -> Cut:
        bounds = self._sheet.split(start, end, WAYS)
        starts, ends = [start, *bounds], [*bounds, end]
        parts = [self._sheet.fingerprint(one, other) for one, other in zip(starts, ends, strict=True)]
        return Cut.of(start, end, bounds, parts)
