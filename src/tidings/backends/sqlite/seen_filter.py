"""Which keys are certainly not in a run: a few bits for each, in memory.

The upper bits of a key's number choose a 64-bit word, its lowest 12 a pattern of five bits there. So the words stand in
the order of the keys, and the part of a filter that belongs to a range of keys can be made when these are at hand. Of
the keys that are not there 0.4 % seem to be with 16 bits a key, 0.2 % with 21, 0.05 % with 42.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from itertools import compress
from operator import itemgetter, or_
from struct import unpack

from tidings.backends.sqlite.seen_record import NUMBER_BITS

WORD_BITS = 64
BITS_PER_KEY = 16
"""At least: what a filter has is the next power of two."""
FEW = 1 << 19
"""Up to so many keys a filter has twice the bits: such filters are asked most, and there are never many."""

_PATTERN_MASK = 0xFFF
_SPREAD = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio: neighbours get patterns that differ everywhere


def _pattern(n: int) -> int:
    bits = n * _SPREAD & (1 << WORD_BITS) - 1
    return (
        1 << (bits >> 58) | 1 << (bits >> 52 & 63) | 1 << (bits >> 46 & 63) | 1 << (bits >> 40 & 63)
        | 1 << (bits >> 34 & 63)
    )  # fmt: skip


_PATTERNS = tuple(map(_pattern, range(_PATTERN_MASK + 1)))  # stored filters are made of them: fixed for ever


def words_for(entries: int) -> int:
    """Return how many words a filter for so many keys has: a power of two."""
    bits = BITS_PER_KEY * (2 if entries <= FEW else 1)
    return 1 << (max(1, entries * bits // WORD_BITS) - 1).bit_length()


class Probe:
    """Keys that are to be looked up in several filters."""

    __slots__ = ("_keys", "_numbers", "_patterns", "_words_of")

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = keys
        self._words_of: dict[int, Callable[[array[int]], tuple[int, ...]]] = {}
        self._numbers = unpack(f">{2 * len(keys)}Q", b"".join(keys))[::2]
        self._patterns = [_PATTERNS[number & _PATTERN_MASK] for number in self._numbers]

    def maybe_in(self, filter: Filter) -> list[bytes]:
        """Return the keys that may have been added to the filter; the others were not."""
        pairs = zip(self._words(filter), self._patterns, strict=True)
        return list(compress(self._keys, [word & bits == bits for word, bits in pairs]))

    def _words(self, filter: Filter) -> tuple[int, ...]:
        """Return each key's word. Filters of one size are asked for the same places, all at once: half the cost."""
        if len(self._keys) == 1:
            return (filter.words[self._numbers[0] >> filter.shift],)
        words_of = self._words_of.get(filter.shift)
        if words_of is None:
            shift = filter.shift
            words_of = self._words_of[shift] = itemgetter(*[number >> shift for number in self._numbers])
        return words_of(filter.words)


class Filter:
    """Words, 2^n of them, that cover the whole range of keys."""

    __slots__ = ("shift", "words")

    def __init__(self, words: array[int]) -> None:
        self.words = words
        self.shift = NUMBER_BITS - (len(words).bit_length() - 1)

    @classmethod
    def empty(cls, entries: int) -> Filter:
        """Return one for so many keys, which are yet to be added."""
        return cls(array("Q", bytes(8 * words_for(entries))))

    @classmethod
    def stored(cls, pieces: Iterable[bytes]) -> Filter:
        """Return the one that was kept as these pieces."""
        words = array("Q")
        for piece in pieces:
            words.frombytes(piece)
        _swap(words)
        return cls(words)

    @classmethod
    def union(cls, filters: Sequence[Filter]) -> Filter:
        """Return one that excludes what all of these exclude, which are of one size."""
        if len(filters) == 1:
            return filters[0]
        size = 8 * len(filters[0].words)
        numbers = [int.from_bytes(filter.words.tobytes(), sys.byteorder) for filter in filters]
        return cls(array("Q", reduce(or_, numbers).to_bytes(size, sys.byteorder)))

    @property
    def room(self) -> int:
        """How many keys it is large enough for."""
        return len(self.words) * WORD_BITS // BITS_PER_KEY

    def add(self, numbers: Iterable[int]) -> None:
        _add(self.words, numbers, shift=self.shift, first=0)


def piece_of(numbers: Iterable[int], *, first: int, count: int, words: int) -> bytes:
    """Return `count` of a filter's `words`, from word `first` on, that hold these keys, all of which belong there."""
    piece = array("Q", bytes(8 * count))
    _add(piece, numbers, shift=NUMBER_BITS - (words.bit_length() - 1), first=first)
    _swap(piece)
    return piece.tobytes()


def _add(words: array[int], numbers: Iterable[int], *, shift: int, first: int) -> None:
    for number in numbers:
        words[(number >> shift) - first] |= _PATTERNS[number & _PATTERN_MASK]


def _swap(words: array[int]) -> None:
    if sys.byteorder == "big":  # kept in little-endian order, so that a file can move
        words.byteswap()
