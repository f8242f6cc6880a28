"""What identifies an event, what orders it, and which ids we make. Pure functions.

Hashes are fixed for ever: they are stored, and every engine and process must agree on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct, unpack
from uuid import UUID

SLOTS = 1024

_BEGUN = hashlib.blake2b(digest_size=8)
_signed = Struct(">q").unpack


def subject_key(subject: str) -> int:
    """Return the signed 64-bit `skey` of a subject: the first 8 bytes of its BLAKE2b hash, big-endian."""
    digest = _BEGUN.copy()  # half of what beginning anew costs
    digest.update(subject.encode())
    key: int = _signed(digest.digest())[0]
    return key


def subject_keys(subjects: Sequence[str]) -> tuple[int, ...]:
    """Return the `subject_key` of each: for many at half the cost."""
    digests: list[bytes] = []
    for subject in subjects:
        digest = _BEGUN.copy()
        digest.update(subject.encode())
        digests.append(digest.digest())
    return unpack(f">{len(digests)}q", b"".join(digests))


def identity_key(source: str, id: str) -> int:
    """Return a signed 64-bit hash of (source, id): the tie-breaker between events of the same rank."""
    digest = _begun_with(source).copy()
    digest.update(id.encode())
    key: int = _signed(digest.digest())[0]
    return key


@lru_cache(maxsize=1024)
def _begun_with(source: str) -> hashlib.blake2b:
    digest = _BEGUN.copy()
    digest.update(f"{len(source)}:{source}".encode())
    return digest


def slot_of(source: str, id: str, subject: str | None) -> int:
    """Return the slot, 0 to 1023, that decides an event's partition; one without a subject is a subject of its own."""
    return (subject_key(subject) if subject is not None else identity_key(source, id)) % SLOTS


def lane_subject(source: str, id: str, subject: str | None) -> str:
    """Return what the event is ordered and parked by: its subject, or for one without, its own identity."""
    return subject if subject is not None else f"\x00{source}\x00{id}"


def uuid7(now_us: int, random_bits: int) -> str:
    """Return a UUID version 7 (RFC 9562 section 5.7) of this time and at least 74 random bits."""
    value = (now_us // 1_000 & (1 << 48) - 1) << 80 | 7 << 76 | (random_bits >> 62 & 0xFFF) << 64
    return str(UUID(int=value | 2 << 62 | random_bits & (1 << 62) - 1))


def derived_id(recorded_us: int, *parts: str) -> str:
    """Return a UUID version 8 (RFC 9562 section 5.8) that follows from the cause: same cause, same id, on every retry.

    Its first 48 bits are the milliseconds of `recorded_us`, when the cause was recorded; the rest is a hash of `parts`.
    """
    text = "".join(f"{len(part)}:{part}" for part in parts)
    digest = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=10).digest(), "big")
    value = (recorded_us // 1_000 & (1 << 48) - 1) << 80 | 8 << 76 | (digest >> 62 & 0xFFF) << 64
    return str(UUID(int=value | 2 << 62 | digest & (1 << 62) - 1))
