"""What follows from one attempt to deliver, for the delivery and for its endpoint: one pure decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from tidings.store.ladder import SECONDS, seconds_after
from tidings.webhooks.deliver.answer import Answer, Failure, FailureKind
from tidings.webhooks.deliver.retry_after import LONGEST_S, seconds_of

SECOND_US = 1_000_000
FAILING_ATTEMPT = 4
"""The failed attempt at which an endpoint is said to be failing."""
SLOWED_US = 300 * SECOND_US
PROXY_PAUSE_US = 30 * SECOND_US

DeadReason = Literal[
    "gone",
    "refused-by-receiver",
    "address-refused",
    "url-invalid",
    "secret-unreadable",
    "transform-error",
    "exhausted",
]
_CANNOT_BE_SENT: tuple[FailureKind, ...] = ("address-refused", "url-invalid", "secret-unreadable")
_OVERLOADED = (429, 502, 504)


class Effects(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an attempt means for the endpoint, or beyond. Times in µs since 1970; 0 and None: nothing.

    `counts`: what its health is told. `not_before`: nothing is sent to it earlier. `slowed_until`: half of its slots
    until then. `disable`, `pause`: why. `all_not_before`: nothing at all is sent earlier, and the operator is told:
    the fault is ours.
    """

    counts: Literal["success", "failure"] | None = None
    not_before: int = 0
    slowed_until: int = 0
    disable: str | None = None
    pause: str | None = None
    all_not_before: int = 0


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the delivery becomes. `next_at`: when it is due again, in µs since 1970; state `due` only.

    `reason`: why it is `dead`, `held` or `cancelled`. `is_spent`: False if the attempt that the claim counted is given
    back.
    """

    state: Literal["delivered", "due", "dead", "held", "cancelled"]
    next_at: int | None = None
    reason: str | None = None
    is_spent: bool = True
    effects: Effects = Effects()


_TAKEN = Decision(state="delivered", effects=Effects(counts="success"))
_TAKEN_LAST = Decision(state="delivered", effects=Effects(counts="success", disable="gone"))


class Try(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The attempt that is decided on. `number`: from 1. `now`: µs since 1970. `draw`: evenly from 0 to 1.

    `delays`: seconds before each attempt, as many as there are attempts.
    """

    number: int
    now: int
    draw: float
    delays: Sequence[float] = SECONDS


def decide(
    result: Answer | Failure, *, attempt: int, now: int, draw: float, delays: Sequence[float] = SECONDS
) -> Decision:
    """Say what follows from an attempt; see `Try`."""
    if isinstance(result, Failure):
        return _of_failure(result, Try(number=attempt, now=now, draw=draw, delays=delays))
    wish = (result.header("webhook-delivery") or "").strip().lower()
    if 200 <= result.status < 300:
        # What was taken is delivered, whatever else the receiver wishes for what comes after it.
        return _TAKEN if wish != "disable" else _TAKEN_LAST
    if result.status == 410 or wish == "disable":
        return Decision(state="dead", reason="gone", effects=Effects(counts="failure", disable="gone"))
    if wish == "abort-message":
        return Decision(state="dead", reason="refused-by-receiver")
    asked = seconds_of(result.header("retry-after"), now=now)
    tried = Try(number=attempt, now=now, draw=draw, delays=delays)
    return _again(tried, asked=asked or 0, effects=_of_answer(result.status, asked, now))


def next_at(attempt: int, *, now: int, draw: float, asked: int = 0, delays: Sequence[float] = SECONDS) -> int | None:
    """Return when to try again after the failed attempt of this number, in µs since 1970; None: never.

    `asked`: seconds that the receiver asked to be left alone, which only lengthens the delay, to 24 hours at most.
    """
    seconds = seconds_after(attempt, draw=draw, ladder=delays)
    if seconds is None:
        return None
    delay = round(seconds * SECOND_US)
    return now + max(delay, min(asked, LONGEST_S) * SECOND_US)


def _of_failure(failure: Failure, tried: Try) -> Decision:
    kind = failure.kind
    if kind in _CANNOT_BE_SENT:
        return Decision(state="dead", reason=kind, effects=Effects(pause=kind))
    if kind == "transform-error":
        return Decision(state="dead", reason=kind)
    if kind == "version-unreadable":
        return Decision(state="held", reason=kind, is_spent=False)
    if kind == "not-wanted":
        return Decision(state="cancelled", reason=kind, is_spent=False)
    if kind == "proxy-failed":
        until = tried.now + PROXY_PAUSE_US
        return Decision(state="due", next_at=until, is_spent=False, effects=Effects(all_not_before=until))
    # A claim that was lost says nothing of the receiver.
    effects = Effects(counts=None if kind == "lost" else "failure")
    return _again(tried, asked=0, effects=effects)


def _of_answer(status: int, asked: int | None, now: int) -> Effects:
    if asked is not None and status in (429, 503):
        return Effects(counts="failure", not_before=now + asked * SECOND_US)
    if asked is None and status in _OVERLOADED:
        return Effects(counts="failure", slowed_until=now + SLOWED_US)
    return Effects(counts="failure")


def _again(tried: Try, *, asked: int, effects: Effects) -> Decision:
    at = next_at(tried.number, now=tried.now, draw=tried.draw, asked=asked, delays=tried.delays)
    if at is None:
        return Decision(state="dead", reason="exhausted", effects=effects)
    return Decision(state="due", next_at=at, effects=effects)
