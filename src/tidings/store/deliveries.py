"""Calls to the outside, and which of them are looked for. Pure values; times are µs since 1970 (UTC)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

State = Literal["pending", "done", "dead", "cancelled"]
STATES: tuple[State, ...] = get_args(State)
"""What may become of a delivery; all but the first are closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One call to the outside, to be made after the unit commits, at least once, always with the same `key`.

    `payload` is JSON. `order`: deliveries of one service and order value are made one after the other, in the order
    they were intended; a dead one lets the next one go on. None: no order.
    """

    key: str
    service: str
    function: str
    payload: bytes
    order: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A delivery whose `attempt` (from 1) was counted and committed before the call; `epoch` fences the result.

    `failed`: of how many attempts before this one the result was written.
    """

    delivery: Delivery
    attempt: int
    epoch: int
    failed: int = 0

    @property
    def died(self) -> int:
        """How many attempts before this one have no result: the process ended, or its lease did."""
        return self.attempt - 1 - self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Which deliveries; None: whatever it is.

    `reason`: the kind of the last failure. `since`, `until`: when it was intended, from the one and before the other.
    """

    service: str | None = None
    function: str | None = None
    reason: str | None = None
    since: int | None = None
    until: int | None = None


EVERY = Sought()
