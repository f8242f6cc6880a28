"""The fingerprint of a row, and of a set of rows: how many they are, and the sum of their hashes.

A sum, since whoever changes a row changes it by a subtraction and an addition, and since pairs do not cancel in it as
they do in an exclusive or. Keyed, since keys and states are chosen by others: who does not know the key cannot choose
rows whose sums are equal. 128 bits. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

BITS, LIMB, LIMBS = 128, 32, 4
MODULUS = 1 << BITS
_LIMB_MASK = (1 << LIMB) - 1
KEY_LEAST = 16

Limbs = tuple[int, int, int, int]


class RowHash:
    """Hashes rows: BLAKE2b-128 keyed (RFC 7693), over each part after its length.

    `secret`: shared by all whose fingerprints are compared, 16 to 64 bytes. `id` names it, and tells nothing of it.
    """

    def __init__(self, secret: bytes) -> None:
        if not KEY_LEAST <= len(secret) <= blake2b.MAX_KEY_SIZE:
            raise ValueError(f"the key of fingerprints has {KEY_LEAST} to {blake2b.MAX_KEY_SIZE} bytes")
        self._begun = blake2b(key=secret, digest_size=BITS // 8)
        self.id = blake2b(b"id", key=secret, digest_size=8, person=b"fingerprint").digest()

    def __call__(self, key: bytes, state: bytes) -> int:
        """Return the hash of a row. `state`: in a form in which equal rows are equal bytes."""
        digest = self._begun.copy()
        digest.update(b"%b%b%b%b" % (len(key).to_bytes(4), key, len(state).to_bytes(4), state))
        return int.from_bytes(digest.digest())


class Fingerprint(NamedTuple):
    """Of a range. `rows`: how many; `sum`: of their hashes, modulo 2^128."""

    rows: int = 0
    sum: int = 0

    def plus(self, *others: Fingerprint) -> Fingerprint:
        """Return that of all rows together."""
        parts = (self, *others)
        return Fingerprint(sum(each.rows for each in parts), sum(each.sum for each in parts) % MODULUS)

    def __str__(self) -> str:
        return f"{self.rows}-{self.sum:032x}"

    def minus(self, other: Fingerprint) -> Fingerprint:
        """Return that of the rows that are left."""
        return Fingerprint(self.rows - other.rows, (self.sum - other.sum) % MODULUS)


NONE = Fingerprint()


def fingerprint(hashes: Iterable[int]) -> Fingerprint:
    """Return the fingerprint of rows by their hashes."""
    found = list(hashes)
    return Fingerprint(len(found), sum(found) % MODULUS)


def limbs(hash: int) -> Limbs:
    """Return a hash as four numbers of 32 bits, the lowest first: what a table keeps beside a row, in BIGINT."""
    one, two, three, four = (hash >> shift & _LIMB_MASK for shift in range(0, BITS, LIMB))
    return one, two, three, four


def recombined(rows: int, sums: Iterable[int]) -> Fingerprint:
    """Return the fingerprint of the sums of limbs. Below 2^31 rows no sum of a limb leaves 63 bits."""
    return Fingerprint(rows, sum(each << LIMB * place for place, each in enumerate(sums)) % MODULUS)
