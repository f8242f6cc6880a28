"""The hashes of all rows of a table, by key, in memory: some 60 bytes a row beside the key."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

from tidings.errors import RefusedError
from tidings.fingerprints.rows import BITS, MODULUS, Fingerprint

KEY_MAX = 1024
BLOCK = 256
_HALF = BITS // 2
_LOW = (1 << _HALF) - 1

Bound = bytes | None
"""Where a range ends, without it; None: with the last row. It begins with a key that is in it, b"" with the first."""


class Sheet:
    """What one side of a comparison has: keys as bytes, compared as bytes and never by a collation, and hashes.

    `rows`: in the order of their keys, each key once. RefusedError if they are not, or a key has over 1,024 bytes.
    """

    def __init__(self, rows: Iterable[tuple[bytes, int]]) -> None:
        self._keys: list[bytes] = []
        self._high, self._low = array("Q"), array("Q")
        last: bytes | None = None
        for key, hash in rows:
            if len(key) > KEY_MAX or (last is not None and key <= last):
                raise RefusedError(_refusal(key, last))
            last = key
            self._keys.append(key)
            self._high.append(hash >> _HALF)
            self._low.append(hash & _LOW)
        blocks = (self._sum(at, at + BLOCK) for at in range(0, len(self._keys), BLOCK))
        self._upto = list(accumulate(blocks, initial=0))

    def fingerprint(self, start: bytes, end: Bound) -> Fingerprint:
        """Return the fingerprint of a range."""
        first, after = self._places(start, end)
        return Fingerprint(after - first, (self._before(after) - self._before(first)) % MODULUS)

    def split(self, start: bytes, end: Bound, ways: int) -> list[bytes]:
        """Return where to cut a range into at most so many parts of as many rows each: short bounds, not keys."""
        first, after = self._places(start, end)
        count = after - first
        cuts = sorted({first + count * part // ways for part in range(1, ways)} - {first, after})
        return [separator(self._keys[cut - 1], self._keys[cut]) for cut in cuts]

    def rows(self, start: bytes, end: Bound) -> Iterator[tuple[bytes, int]]:
        """Yield the rows of a range."""
        for place in range(*self._places(start, end)):
            yield self._keys[place], self._hash(place)

    def _places(self, start: bytes, end: Bound) -> tuple[int, int]:
        first = bisect_left(self._keys, start)
        return first, len(self._keys) if end is None else bisect_left(self._keys, end, first)

    def _before(self, place: int) -> int:
        block = place // BLOCK
        return self._upto[block] + self._sum(block * BLOCK, place)

    def _sum(self, first: int, after: int) -> int:
        return (sum(self._high[first:after]) << _HALF) + sum(self._low[first:after])

    def _hash(self, place: int) -> int:
        return self._high[place] << _HALF | self._low[place]


def separator(below: bytes, above: bytes) -> bytes:
    """Return the shortest bound that is above the one key and not above the other."""
    return above[: shared(below, above) + 1]


def shared(one: bytes, other: bytes) -> int:
    """Return how many bytes two keys have in common at their start."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (here, there) in pairs if here != there), min(len(one), len(other)))


def _refusal(key: bytes, last: bytes | None) -> str:
    if len(key) > KEY_MAX:
        return f"a key has {len(key):,} bytes; {KEY_MAX:,} is the most"
    return f"the rows are not in the order of their keys' bytes: {key!r:.80} comes after {last!r:.80}"
