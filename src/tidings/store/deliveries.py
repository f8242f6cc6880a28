"""Calls to the outside, and which of them are looked for. Pure values; times are µs since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tidings.errors import CheckpointMovedError, NotFoundError, RefusedError
from tidings.store.reason import Reason

State = Literal["due", "leased", "behind", "held", "delivered", "dead", "expired", "cancelled"]
STATES: tuple[State, ...] = get_args(State)
"""`due`: at its time; `leased`: somebody makes it; `behind`: an earlier one of its order is open; `held`: its endpoint
is paused or disabled, or cannot be told in its version here. These are open, the others closed."""
OPEN: tuple[State, ...] = STATES[:4]


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
class DeliveryFilter:
    """Which deliveries; None: whatever it is.

    `reason`: the kind of the last failure. `since`, `until`: when it was intended, from the one and before the other.
    """

    service: str | None = None
    function: str | None = None
    endpoint: str | None = None
    type: str | None = None
    subject: str | None = None
    reason: str | None = None
    since: int | None = None
    until: int | None = None


EVERY = DeliveryFilter()

SHOWN = (
    *("key", "service", "function", "payload", "endpoint", "position", "run", "subject", "type", "pin"),
    *("state", "attempts", "next_at", "reason", "error", "intended", "first_at", "closed"),
)
"""The columns that `StoreDriver.deliveries` returns."""


def claimed_of(row: Iterable[Any]) -> ClaimedDelivery:
    """Return what a row says: n, key, service, function, payload, order, attempt, epoch, failed."""
    _, key, service, function, payload, order, attempt, epoch, failed = row
    delivery = Delivery(key=key, service=service, function=function, payload=payload, order=order)
    return ClaimedDelivery(delivery=delivery, attempt=attempt, epoch=epoch, failed=failed)


def settled(reason: Reason | None) -> tuple[State, int | None, str | None, str | None]:
    """Return state, next_at, reason and error of a row whose attempt ended so."""
    if reason is None:
        return "delivered", None, None, None
    return "dead" if reason.next_at is None else "due", reason.next_at, reason.kind, reason.error


def conditions_of(state: str | None, where: DeliveryFilter) -> list[tuple[str, Any]]:
    """Return a condition on a row, with `{}` for its value, and the value, for each thing that is asked for."""
    asked: Mapping[str, Any] = {
        "state = {}": state,
        "service = {}": where.service,
        "function = {}": where.function,
        "endpoint = {}": where.endpoint,
        "type = {}": where.type,
        "subject = {}": where.subject,
        "reason = {}": where.reason,
        "intended >= {}": where.since,
        "intended < {}": where.until,
    }
    return [(condition, value) for condition, value in asked.items() if value is not None]


def taken_over(claimed: ClaimedDelivery) -> CheckpointMovedError:
    return CheckpointMovedError(f"the delivery {claimed.delivery.key} belongs to another owner, who calls it again")


def no_delivery(key: str) -> NotFoundError:
    return NotFoundError("delivery", key)


_NOT_NOW = {
    "leased": "it is being called now",
    "behind": "an earlier one of its order comes first",
    "held": "resume its endpoint, or run what can tell its version",
}


def not_to_retry(key: str, state: str) -> RefusedError:
    return RefusedError(f"the delivery {key!r} is {state}: {_NOT_NOW.get(state, 'there is nothing to retry')}")


def not_open(key: str, state: str) -> RefusedError:
    return RefusedError(f"the delivery {key!r} is {state}: there is nothing to cancel")
