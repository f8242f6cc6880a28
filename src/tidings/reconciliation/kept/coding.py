"""Keys of notes that are in order as what they say is, and what is noted under them."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct as Packing
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from tidings.reconciliation.rules.floors import NEVER, Known
from tidings.reconciliation.rules.judging import PUT
from tidings.reconciliation.rules.places import Place, Range
from tidings.reconciliation.rules.proofs import Proof
from tidings.store.rows import Rank

_TEXT, _NUMBER, _END = b"\x02", b"\x01", b"\x00"
_OFFSET = 2**63
UNREADABLE = "unreadable"
"""Why nothing is said of a key of which no read can be taken in."""
_known = Packing(">4q")
_bounds = Packing(">2q")
_rank = Packing(">qbbq")
_content = Packing(">bq")
_number = Packing(">q")


def place_key(place: Place) -> bytes:
    """Return the bytes that are in order as places are; numbers come before texts."""
    if len(place) == 1 and isinstance(text := place[0], str) and "\0" not in text:
        return b"\x02%b\0\0" % text.encode()
    return _part(place[0]) if len(place) == 1 else b"".join(map(_part, place))


def text_keys(texts: Sequence[str]) -> list[bytes]:
    """Return the same of places that are one text each: of many at once, which costs half."""
    if "\0" in "".join(texts):
        return [place_key((text,)) for text in texts]
    return [b"\x02%b\0\0" % text.encode() for text in texts]


def _part(value: str | int) -> bytes:
    if isinstance(value, str):
        return _TEXT + value.encode().replace(b"\x00", b"\x00\xff") + _END + _END
    return _NUMBER + (value + _OFFSET).to_bytes(9)


def key_place(key: bytes) -> Place:
    """Return the place that these are the bytes of."""
    found: list[str | int] = []
    at = 0
    while at < len(key):
        if key[at : at + 1] == _NUMBER:
            found.append(int.from_bytes(key[at + 1 : at + 10]) - _OFFSET)
            at += 10
            continue
        end = at + 1
        while key[end : end + 2] != _END + _END:
            end += 2 if key[end : end + 1] == b"\x00" else 1
        found.append(key[at + 1 : end].replace(b"\x00\xff", b"\x00").decode())
        at = end + 2
    return tuple(found)


def known_bytes(known: Known) -> bytes:
    """Return what is kept of a floor."""
    return _known.pack(known.put, known.delete, known.shown_put, known.shown_delete)


def known_of(body: bytes) -> Known:
    """Return the floor that is kept."""
    return Known(*_known.unpack(body))


def stood_bytes(bounds: tuple[int, int]) -> bytes:
    """Return what is kept of where bounds stood."""
    return _bounds.pack(*bounds)


def stood_of(body: bytes) -> tuple[int, int]:
    """Return the bounds that are kept."""
    upserts, deletes = _bounds.unpack(body)
    return upserts, deletes


def number_bytes(number: int) -> bytes:
    """Return what is kept of a number."""
    return _number.pack(number)


def number_of(body: bytes) -> int:
    """Return the number that is kept."""
    found: int = _number.unpack(body)[0]
    return found


def content_key(at: bytes, rank: Rank) -> bytes:
    """Return what names a state of the item at a place: what an event of it would say."""
    return at + _content.pack(rank.kind, rank.hash)


class Mirrored(msgspec.Struct, frozen=True, gc=False):
    """What the mirror holds of a key. `at`: its place, as bytes."""

    key: str
    at: bytes
    rank: Rank

    CONTENT: ClassVar[slice] = slice(9, 18)

    def kept(self) -> bytes:
        """Return what is kept of it under its place."""
        return _rank.pack(*self.rank) + self.key.encode()

    @classmethod
    def shows(cls, body: bytes, hash: int) -> bool:
        """Say whether what is kept is live and of this hash: a page that is equal is not read any further."""
        return body[cls.CONTENT] == cls.content(hash)

    @staticmethod
    def time(body: bytes) -> int:
        """Return the time of the rank of what is kept."""
        return int.from_bytes(body[:8], signed=True)

    @staticmethod
    def content(hash: int) -> bytes:
        """Return the part of what is kept, at `CONTENT`, that says that an item is live and of this hash."""
        return _content.pack(PUT, hash)

    @classmethod
    def of(cls, at: bytes, body: bytes) -> Mirrored:
        """Return what is kept."""
        return cls(body[_rank.size :].decode(), at, Rank(*_rank.unpack_from(body)))


class Field(msgspec.Struct, frozen=True, array_like=True):
    """A member that differs. `here`, `there`: its values, as JSON."""

    name: str
    here: str
    there: str


class Finding(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A difference that was found. Times are µs since 1970; `rank`: of its repair; `base`: of what was here.

    `state`: proposed, open, merged, parked, waived, or asked: somebody has to decide. `cause`: why it came to be, as
    far as that is known. `arrived`: when the event that it told of came after all. `due`: from when on it counts, if
    that has not come by then. `changed`: when the item became so, by our clock, if its version says that. `subject`: of
    its repair.
    """

    id: str
    kind: str
    key: str
    at: bytes
    rank: tuple[int, int, int, int]
    base: tuple[int, int, int, int] | None
    run: str
    since: int
    state: str
    cause: str = "unknown"
    fields: tuple[Field, ...] = ()
    arrived: int | None = None
    due: int = 0
    changed: int | None = None
    subject: str | None = None

    @property
    def is_repaired(self) -> bool:
        """Whether anything was done about it, if only that it was begun."""
        return self.state not in ("proposed", "asked", "waived")


class Waiting(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A key whose repair is parked."""

    id: str
    key: str
    since: int


class Suspect(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A key that is live here and absent from a whole list. `as_of`: of that read; `since`: of the first one in a row.
    `epoch`: of who ran that one. `missing`: when an answer first said that it is gone, where one such answer is not
    enough; `said`: what orders that answer among ranks."""

    key: str
    at: bytes
    run: str
    as_of: int
    ticket: int
    since: int
    missing: int | None = None
    said: int = NEVER
    epoch: int = 0

    def after(self, older: Suspect | None) -> Suspect:
        """Return what is suspected once more, with what was answered before: the list has not shown it since.

        A ticket below 0 says that it is there, and should not be."""
        if older is None or older.key != self.key or (older.ticket < 0) != (self.ticket < 0):
            return self
        return replace(self, since=older.since, missing=older.missing, said=older.said, epoch=older.epoch)


class Dirty(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A key that has to be read before more can be said. `due`: not before; `tries`: reads that failed."""

    key: str
    reason: str
    since: int
    due: int
    tries: int = 0
    is_given_up: bool = False


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """A read of one key that is under way until then at the latest, or that has ended once so many tickets were given.

    `is_overlapped`: a page that shows the key was taken in meanwhile.
    """

    ticket: int
    until: int
    is_overlapped: bool = False
    ended: int = 0

    def is_going_on(self, now: int) -> bool:
        """Whether nobody knows yet what it shows."""
        return self.until > now


def proof_bytes(proof: Proof) -> bytes:
    """Return what is kept of a proof."""
    return msgspec.msgpack.encode(
        (
            place_key(proof.range.after),
            None if proof.range.end is None else place_key(proof.range.end),
            proof.as_of,
            sorted(proof.puts),
            sorted(proof.deletes),
            proof.proves_deletes,
        )
    )


def proof_of(body: bytes) -> Proof:
    """Return the proof that is kept."""
    after, end, as_of, puts, deletes, proves_deletes = msgspec.msgpack.decode(
        body, type=tuple[bytes, bytes | None, int, list[str], list[str], bool]
    )
    range = Range(key_place(after), None if end is None else key_place(end))
    return Proof(range, as_of, frozenset(puts), frozenset(deletes), proves_deletes)
