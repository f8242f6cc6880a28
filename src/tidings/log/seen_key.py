"""What stands for a (source, id) where repeats are looked up.

Keys are hashes under the log's own secret, because third parties choose ids. An id that holds a time or a number gets
a key that begins with it: such ids come in order, so their keys are added at one edge of a table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from string import ascii_lowercase, ascii_uppercase, digits
from struct import iter_unpack

from tidings.events.envelope import Envelope

KEY_BYTES = 16
ORDER_BYTES = 6
UUID_BYTES = 16
SOURCES = 1_000

_TIMED = "78"  # the versions of UUIDs that begin with a time
_DASHES = (8, 13, 18, 23)
_OF_UUID = f"{ORDER_BYTES}s{UUID_BYTES - ORDER_BYTES}x"

# What looks like a time is believed from 2000 to 2100, so that few opaque ids are taken for one by chance.
_FIRST_MS = 946_684_800_000
_LAST_MS = 4_102_444_800_000
_FIRST_ORDER = _FIRST_MS.to_bytes(ORDER_BYTES, "big")
_LAST_ORDER = _LAST_MS.to_bytes(ORDER_BYTES, "big")

_ULID = re.compile("[0-7](?:[0-9A-HJKMNP-TV-Z]{25}|[0-9a-hjkmnp-tv-z]{25})")
_CROCKFORD = str.maketrans("ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz", "abcdefghijklmnopqrstuv" * 2)
_KSUID = re.compile("[0-9A-Za-z]{27}")
_BASE_62 = {character: value for value, character in enumerate(digits + ascii_uppercase + ascii_lowercase)}
_KSUID_EPOCH = 1_400_000_000


def order_of(id: str) -> bytes | None:
    """Return 6 bytes that put ids of this shape in the order of their time or number; None if the id is opaque.

    UUID versions 7 and 8, ULID: their milliseconds; KSUID: its second, in milliseconds; a decimal number below 2^48:
    itself, below 2^64: its upper 48 bits. A pure function of the text alone, fixed for ever: so equal ids always meet,
    even where the guess is wrong.
    """
    length = len(id)
    if length == 36:
        return _order_of_uuid(id)
    if length <= 20:
        return _order_of_number(id) if id.isdecimal() and id.isascii() else None
    if length == 26 and _ULID.fullmatch(id):
        return _order_of_time(int(id[:10].translate(_CROCKFORD), 32))
    if length == 27 and _KSUID.fullmatch(id):
        number = reduce(lambda value, character: value * 62 + _BASE_62[character], id, 0)
        return _order_of_time((_KSUID_EPOCH + (number >> 128)) * 1_000)
    return None


def orders_of(ids: Sequence[str]) -> Sequence[bytes | None]:
    """Return the order of each id, as `order_of` does; of many UUIDs at once it costs a third."""
    if set(map(len, ids)) != {36}:
        return [order_of(id) for id in ids]
    return _orders_of_uuids(ids) or [_order_of_uuid(id) if id[14] in _TIMED else None for id in ids]


def _orders_of_uuids(ids: Sequence[str]) -> Sequence[bytes] | None:
    """Return the orders if all ids, of 36 characters, are whole UUIDs that have one; None if some are not."""
    text = "".join(ids)
    dashes = "-" * len(ids)
    if text[14::36].strip(_TIMED) or any(text[at::36] != dashes for at in _DASHES):
        return None
    try:
        joined = bytes.fromhex(text.replace("-", ""))  # whose length shows any other dash, and spaces
    except ValueError:
        return None
    if len(joined) != len(ids) * UUID_BYTES:
        return None
    orders = [order for (order,) in iter_unpack(_OF_UUID, joined)]
    return orders if min(orders) >= _FIRST_ORDER and max(orders) < _LAST_ORDER else None


def _order_of_uuid(id: str) -> bytes | None:
    if id[14] not in _TIMED or id[8] != "-" or id[13] != "-":
        return None
    try:
        order = bytes.fromhex(id[:8] + id[9:13])
    except ValueError:
        return None
    return order if _FIRST_ORDER <= order < _LAST_ORDER and len(order) == ORDER_BYTES else None


def _order_of_number(id: str) -> bytes | None:
    number = int(id)
    if number >= 1 << 64:
        return None
    return (number if number < 1 << 48 else number >> 16).to_bytes(ORDER_BYTES, "big")


def _order_of_time(ms: int) -> bytes | None:
    return ms.to_bytes(ORDER_BYTES, "big") if _FIRST_MS <= ms < _LAST_MS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What stands for some envelopes. `keys`: 16 bytes for each identity, of an ordered id its order first.

    `timed`, `opaque`: the places of the keys that are, or are not, in order.
    """

    keys: Sequence[bytes]
    timed: Sequence[int]
    opaque: Sequence[int]


_NONE: tuple[list[tuple[str, str]], Sought] = [], Sought(keys=(), timed=(), opaque=())
"""No (source, id) whose keys were asked for."""


class Keys:
    """Makes the keys of one log, whose `secret` has 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._sources: dict[str, hashlib.blake2b] = {}
        self._last = _NONE

    def sought(self, envelopes: Sequence[Envelope]) -> Sought:
        """Return what stands for the envelopes, in their order."""
        places, found = self._last
        if places:
            self._last = _NONE
            if places == [(envelope.source, envelope.id) for envelope in envelopes]:
                return found
        return self._sought([envelope.source for envelope in envelopes], [envelope.id for envelope in envelopes])

    def keys(self, places: Sequence[tuple[str, str]]) -> Sequence[bytes]:
        """Return the keys of these (source, id), in their order. Whoever seeks the same ones next is spared the hashes.

        So are those that keep webhooks: each by its id, and then its event, which mostly has the same one.
        """
        found = self._sought([source for source, _ in places], [id for _, id in places])
        self._last = [*places], found
        return found.keys

    def _sought(self, sources: Sequence[str], ids: Sequence[str]) -> Sought:
        orders = orders_of(ids)
        digests = self._digests(sources, ids)
        return Sought(
            keys=[
                digest if order is None else order + digest[ORDER_BYTES:]
                for order, digest in zip(orders, digests, strict=True)
            ],
            timed=[n for n, order in enumerate(orders) if order is not None],
            opaque=[n for n, order in enumerate(orders) if order is None],
        )

    def key(self, source: str, id: str) -> tuple[bytes, bool]:
        """Return the key of one identity, and whether it is in order."""
        order = order_of(id)
        digest = (self._sources.get(source) or self._begin(source)).copy()
        digest.update(id.encode())
        key = digest.digest()
        return (key, False) if order is None else (order + key[ORDER_BYTES:], True)

    def _digests(self, sources: Sequence[str], ids: Sequence[str]) -> Sequence[bytes]:
        found: list[bytes] = []
        begun = self._sources
        for source, id in zip(sources, ids, strict=True):
            digest = (begun.get(source) or self._begin(source)).copy()
            digest.update(id.encode())  # going on from a copy costs half of beginning anew
            found.append(digest.digest())
        return found

    def _begin(self, source: str) -> hashlib.blake2b:
        if len(self._sources) >= SOURCES:
            self._sources.clear()
        begun = hashlib.blake2b(f"{len(source)}:{source}".encode(), digest_size=KEY_BYTES, key=self._secret)
        self._sources[source] = begun
        return begun
