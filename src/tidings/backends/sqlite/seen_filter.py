"""Which keys are certainly not in a run: a few bits for each, in memory.

A key's first 8 bytes are one number. Its upper bits choose a 64-bit word, its lowest 12 a pattern of four bits there.
So the words stand in the order of the keys, and the part of a filter that belongs to a range of keys can be made when
these are at hand. With 16 bits a key about 0.7 % of the keys that are not there seem to be.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from operator import itemgetter
from struct import unpack

WORD_BITS = 64
BITS_PER_KEY = 16

_PATTERN_MASK = 0xFFF
_SPREAD = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio: neighbours get patterns that differ everywhere


def _pattern(n: int) -> int:
    bits = n * _SPREAD & (1 << WORD_BITS) - 1
    return 1 << (bits >> 58) | 1 << (bits >> 52 & 63) | 1 << (bits >> 46 & 63) | 1 << (bits >> 40 & 63)


_PATTERNS = tuple(map(_pattern, range(_PATTERN_MASK + 1)))  # stored filters are made of them: fixed for ever


def numbers_of(keys: bytes) -> tuple[int, ...]:
    """Return the numbers of keys that stand one after the other."""
    return unpack(f">{len(keys) // 8}Q", keys)[::2]


class Probe:
    """Keys that are to be looked up in several filters."""

    __slots__ = ("_keys", "_numbers", "_patterns", "_words_of")

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = keys
        self._words_of: dict[int, Callable[[array[int]], tuple[int, ...]]] = {}
        self._numbers = numbers_of(b"".join(keys))
        self._patterns = [_PATTERNS[number & _PATTERN_MASK] for number in self._numbers]

    def maybe_in(self, filter: Filter) -> list[bytes]:
        """Return the keys that may be in the filter's run; the others are not."""
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
    """The filter of one run, whose words, 2^n of them, cover the whole range of keys."""

    __slots__ = ("shift", "words")

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.words = array("Q")
        for piece in pieces:
            self.words.frombytes(piece)
        _swap(self.words)
        self.shift = WORD_BITS - (len(self.words).bit_length() - 1)


def piece_of(keys: bytes, *, first: int, count: int, shift: int) -> bytes:
    """Return `count` words of a filter, from word `first` on, that hold these keys, all of which belong there."""
    words = array("Q", bytes(8 * count))
    for number in numbers_of(keys):
        words[(number >> shift) - first] |= _PATTERNS[number & _PATTERN_MASK]
    _swap(words)
    return words.tobytes()


def _swap(words: array[int]) -> None:
    if sys.byteorder == "big":  # kept in little-endian order, so that a file can move
        words.byteswap()
