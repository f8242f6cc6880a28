"""What the store writes after an attempt: the decision, what was seen, and how the endpoint fares from now on."""

from __future__ import annotations

from typing import Any

import msgspec

from tidings.store.endpoint_deliveries import Result
from tidings.store.endpoints import Condition, EndpointRecord
from tidings.webhooks.deliver import health
from tidings.webhooks.deliver.answer import Answer, Failure
from tidings.webhooks.deliver.outcome import Decision, Effects
from tidings.webhooks.deliver.records import condition_of, health_of

DELIVERED = "delivered"
HTTP_ERROR = "http-error"
_encode = msgspec.json.Encoder().encode


def result_of(
    record: EndpointRecord,
    seen: Answer | Failure,
    decision: Decision,
    *,
    position: int,
    now: int,
    body_hash: bytes | None = None,
) -> Result:
    """Return the result of an attempt. `record`: the endpoint as it is now. `position`: of the entry, or the first of a
    batch."""
    return Result(
        state=decision.state,
        outcome=outcome_of(seen),
        next_at=decision.next_at,
        reason=decision.reason,
        error=_error_of(seen),
        answer=_encode(_shown(seen)),
        body_hash=body_hash,
        is_spent=decision.is_spent,
        condition=condition_after(record.condition, decision.effects, position=position, now=now),
    )


def condition_after(condition: Condition, effects: Effects, *, position: int, now: int) -> Condition | None:
    """Return how the endpoint fares after an attempt with these effects; None: as before."""
    if effects.counts is None and effects == Effects(all_not_before=effects.all_not_before):
        return None
    state = health_of(condition, now=now)
    if effects.counts == "success":
        state = health.succeeded(state, now=now)
    elif effects.counts == "failure":
        state = health.failed(state, event=position, now=now)
    if effects.not_before or effects.slowed_until:
        state = health.put_off(state, not_before=effects.not_before, slowed_until=effects.slowed_until)
    if effects.pause is not None:
        state = health.paused(state, why=effects.pause, now=now)
    if effects.disable is not None:
        state = health.disabled(state, why=effects.disable, now=now)
    return condition_of(state)


def outcome_of(seen: Answer | Failure) -> str:
    """Return the word for an attempt: `delivered`, `http-error`, or the kind of its failure."""
    if isinstance(seen, Failure):
        return seen.kind
    return DELIVERED if 200 <= seen.status < 300 else HTTP_ERROR


def _error_of(seen: Answer | Failure) -> str | None:
    if isinstance(seen, Failure):
        return seen.error or seen.kind
    return None if 200 <= seen.status < 300 else f"the receiver answered {seen.status}"


def _shown(seen: Answer | Failure) -> dict[str, Any]:
    """Return what is kept of what was seen, as members of a JSON object; of what a private address says, the status."""
    shown: dict[str, Any] = {"duration_us": seen.duration_us, "address": seen.address}
    if seen.refused:
        shown["refused"] = seen.refused
    if isinstance(seen, Answer):
        shown["status"] = seen.status
        shown |= {"withheld": True} if seen.is_private else {"headers": seen.headers, "body": seen.body}
    if isinstance(seen, Answer) and seen.cut is not None:
        shown["cut"] = seen.cut
    return shown
