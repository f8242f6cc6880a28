"""What a delivery's function is told about the call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One call to the outside.

    `idempotency_key`: the same on every attempt, redrive and replay: hand it to whoever is called. `attempt`: from 1.
    `if_match`: the tag of what a party was seen to hold, for `If-Match`, where `App.reconcile_party` makes the call
    again; None: whatever it holds.
    """

    idempotency_key: str
    attempt: int
    service: str
    function: str
    order: str | None = None
    if_match: str | None = None
