"""What the function `tidings.append_one` is given for one envelope of which nothing is expected: no arrays."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any

from tidings.backends.postgres.drafts import STRIPE_BITS
from tidings.events.codec import attributes_to_bytes
from tidings.events.envelope import Envelope
from tidings.events.identity import SLOTS, identity_key, subject_key
from tidings.log.driver import Write
from tidings.log.seen_key import Keys

APPEND_ONE = f"SELECT tidings.append_one({', '.join(f'${n}' for n in range(1, 15))})"

_halves = Struct(">2q").unpack


def is_single(writes: Sequence[Write]) -> bool:
    """Say whether these writes are one envelope, of which nothing is expected."""
    return len(writes) == 1 and len(writes[0].envelopes) == 1 and not writes[0].expected and writes[0].condition is None


def arguments_of(envelope: Envelope, keys: Keys) -> tuple[Any, ...]:
    """Return the arguments of the function for this envelope, after the time."""
    key, is_timed = keys.key(envelope.source, envelope.id)
    subject = envelope.subject
    skey = None if subject is None else subject_key(subject)
    slot = (identity_key(envelope.source, envelope.id) if skey is None else skey) % SLOTS
    return (
        slot >> STRIPE_BITS,
        is_timed,
        *_halves(key),
        slot,
        skey,
        envelope.source,
        envelope.id,
        envelope.type,
        envelope.version,
        subject,
        attributes_to_bytes(envelope),
        envelope.data,
    )
