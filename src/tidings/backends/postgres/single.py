"""What the function `tidings.append_one` is given for one envelope of which nothing is expected: no arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any

from tidings.backends.postgres.drafts import stripe_of
from tidings.events.codec import attributes_to_bytes
from tidings.events.identity import SLOTS, identity_key, subject_key
from tidings.log.driver import Write
from tidings.log.seen_key import Sought

APPEND_ONE = f"SELECT tidings.append_one({', '.join(f'${n}' for n in range(1, 15))})"

_halves = Struct(">2q").unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """One write of one envelope. `sought`: what stands for it. `arguments`: of the function, after the time."""

    writes: Sequence[Write]
    sought: Sought
    types: frozenset[str]
    arguments: tuple[Any, ...]


def is_single(writes: Sequence[Write]) -> bool:
    """Say whether these writes are one envelope, of which nothing is expected."""
    return len(writes) == 1 and len(writes[0].envelopes) == 1 and not writes[0].expected and writes[0].condition is None


def single_of(writes: Sequence[Write], sought: Sought) -> Single:
    """Return what is sent for these writes, which are a single one."""
    envelope = writes[0].envelopes[0]
    subject = envelope.subject
    skey = None if subject is None else subject_key(subject)
    slot = (identity_key(envelope.source, envelope.id) if skey is None else skey) % SLOTS
    return Single(
        writes=writes,
        sought=sought,
        types=frozenset((envelope.type,)),
        arguments=(
            stripe_of(slot),
            bool(sought.timed),
            *_halves(sought.keys[0]),
            slot,
            skey,
            envelope.source,
            envelope.id,
            envelope.type,
            envelope.version,
            subject,
            attributes_to_bytes(envelope),
            envelope.data,
        ),
    )
