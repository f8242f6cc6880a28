"""What two sides send each other: ranges cut into parts with the fingerprint of each, and rows of small ranges.

A frame is MessagePack. The other side may be anybody: what does not keep the limits below is refused as a whole.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import msgspec

from tidings.errors import MalformedError
from tidings.fingerprints.rows import BITS, Fingerprint
from tidings.fingerprints.sheet import KEY_MAX, Bound, shared

FRAME_BYTES = 64 * 1024
RANGES_MAX = 4096
LEVELS_MAX = 16
LEAF = 32
COUNT_MAX = 2**31
_SIZE = BITS // 8
_HEAD = 64


class Cut(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A range in parts. The bounds between them have `prefix` in common. `sums`: 16 bytes each."""

    start: bytes
    end: bytes | None
    prefix: bytes
    rests: tuple[bytes, ...]
    counts: tuple[int, ...]
    sums: bytes

    @classmethod
    def of(cls, start: bytes, end: Bound, bounds: Sequence[bytes], parts: Sequence[Fingerprint]) -> Cut:
        """Return a range cut at these bounds."""
        sums = b"".join(each.sum.to_bytes(_SIZE) for each in parts)
        return cls(start, end, *_folded(bounds), tuple(each.rows for each in parts), sums)

    def parts(self) -> Iterator[tuple[bytes, Bound, Fingerprint]]:
        """Yield each part: where it starts and ends, and its fingerprint."""
        bounds = (self.start, *(self.prefix + rest for rest in self.rests), self.end)
        for (start, end), count, hash in zip(pairwise(bounds), self.counts, _numbers(self.sums), strict=True):
            assert start is not None
            yield start, end, Fingerprint(count, hash)

    def fault(self) -> str:
        """Say what is wrong with it, if anything is."""
        inner = [self.prefix + rest for rest in self.rests]
        if not len(inner) + 1 == len(self.counts) == len(self.sums) / _SIZE:
            return "has not one fingerprint for each part"
        if not all(0 <= count < COUNT_MAX for count in self.counts):
            return "counts rows that cannot be"
        return _order_fault(self.start, inner, self.end)


class Leaf(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The rows of a small range. `asks`: whether those of the other side are wanted."""

    start: bytes
    end: bytes | None
    asks: bool
    prefix: bytes
    rests: tuple[bytes, ...]
    hashes: bytes

    @classmethod
    def of(cls, start: bytes, end: Bound, rows: Sequence[tuple[bytes, int]], *, asks: bool) -> Leaf:
        """Return a range with its rows."""
        hashes = b"".join(hash.to_bytes(_SIZE) for _, hash in rows)
        return cls(start, end, asks, *_folded([key for key, _ in rows]), hashes)

    def rows(self) -> dict[bytes, int]:
        """Return the rows: hash by key."""
        return dict(zip((self.prefix + rest for rest in self.rests), _numbers(self.hashes), strict=True))

    def fault(self) -> str:
        """Say what is wrong with it, if anything is."""
        if len(self.rests) != len(self.hashes) / _SIZE:
            return "has not one hash for each row"
        if len(self.rests) >= LEAF:
            return f"has {len(self.rests)} rows; fewer than {LEAF} are sent one by one"
        keys = [self.prefix + rest for rest in self.rests]
        first = keys[:1] == [self.start]
        return _order_fault(self.start, keys[first:], self.end)


class Frame(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A part of a message. `secret`: the id of the key that rows are hashed with; `level`: how deep this is, from 1."""

    secret: bytes
    level: int
    cuts: tuple[Cut, ...]
    leaves: tuple[Leaf, ...]

    def fault(self) -> str:
        """Say what is wrong with it, if anything is."""
        if not 1 <= self.level <= LEVELS_MAX:
            return f"is of level {self.level}; {LEVELS_MAX} is the deepest"
        ranges = sum(len(each.counts) for each in self.cuts) + len(self.leaves)
        if ranges > RANGES_MAX:
            return f"has {ranges:,} ranges; {RANGES_MAX:,} is the most"
        groups: tuple[Sequence[Cut | Leaf], ...] = (self.cuts, self.leaves)
        for group in groups:
            for one, other in pairwise(group):
                if one.end is None or one.end > other.start:
                    return "has bounds that do not rise"
            if found := next((fault for each in group if (fault := each.fault())), ""):
                return found
        return ""


_decoder = msgspec.msgpack.Decoder(Frame)


def read(frame: bytes, secret: bytes) -> Frame:
    """Return a frame that was sent. MalformedError if it breaks a rule, or rows are hashed with another key there."""
    if len(frame) > FRAME_BYTES:
        raise MalformedError(f"the frame has {len(frame):,} bytes; {FRAME_BYTES:,} is the most")
    try:
        found = _decoder.decode(frame)
    except msgspec.MsgspecError as error:
        raise MalformedError(f"these bytes are no frame of fingerprints: {error}") from error
    if found.secret != secret:
        raise MalformedError("the other side hashes rows with another key, so nothing can be compared")
    if fault := found.fault():
        raise MalformedError(f"the frame {fault}")
    return found


def written(secret: bytes, level: int, said: Iterable[Cut | Leaf]) -> list[bytes]:
    """Return a message in as few frames as its limits allow."""
    frames: list[bytes] = []
    cuts: list[Cut] = []
    leaves: list[Leaf] = []
    size, ranges = _HEAD, 0

    def close() -> None:
        if cuts or leaves:
            frames.append(msgspec.msgpack.encode(Frame(secret, level, tuple(cuts), tuple(leaves))))
        cuts.clear()
        leaves.clear()

    for each in said:
        length, parts = len(msgspec.msgpack.encode(each)), len(each.counts) if isinstance(each, Cut) else 1
        if size + length > FRAME_BYTES or ranges + parts > RANGES_MAX:
            close()
            size, ranges = _HEAD, 0
        size, ranges = size + length, ranges + parts
        (cuts if isinstance(each, Cut) else leaves).append(each)  # type: ignore[arg-type]
    close()
    return frames


def _folded(keys: Sequence[bytes]) -> tuple[bytes, tuple[bytes, ...]]:
    """Return what the keys, which rise, have in common at their start, and the rest of each."""
    same = shared(keys[0], keys[-1]) if keys else 0
    return keys[0][:same] if keys else b"", tuple(key[same:] for key in keys)


def _numbers(packed: bytes) -> list[int]:
    return [int.from_bytes(packed[at : at + _SIZE]) for at in range(0, len(packed), _SIZE)]


def _order_fault(start: bytes, inner: Sequence[bytes], end: Bound) -> str:
    bounds = [start, *inner] if end is None else [start, *inner, end]
    if not all(one < other for one, other in pairwise(bounds)):
        return "has bounds that do not rise"
    return "has a bound of over 1,024 bytes" if max(map(len, bounds)) > KEY_MAX else ""
