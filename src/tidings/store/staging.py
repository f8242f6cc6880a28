"""Envelopes that wait in the outbox, and one as text, for who stages it with `SELECT tidings.stage(…)`. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tidings.events.codec import encode_json, stored_of
from tidings.events.envelope import Envelope

_MEMBERS = ("source", "id", "type", "dataversion", "subject", "attrs", "data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """An envelope that waits in the outbox; `n` orders them."""

    n: int
    envelope: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits in the outbox: how many envelopes, and for how many µs the first of them has; 0 if there is none."""

    envelopes: int
    age: int


def staged_text(envelope: Envelope) -> str:
    """Return what `tidings.stage` takes: JSON of a row's columns, bytes in base64."""
    return encode_json(dict(zip(_MEMBERS, stored_of(envelope), strict=True))).decode()
