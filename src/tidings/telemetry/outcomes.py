"""What became of one event in one handler, or in one table of a view: counted, and told in one line."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from tidings.events.envelope import Envelope
from tidings.log.driver import Position
from tidings.store.reason import Reason
from tidings.telemetry.lines import of_event
from tidings.telemetry.metrics import Metrics

_log = logging.getLogger("tidings.outcomes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`handler`: empty if none was reached. `envelope`: None if nothing but its `subject` is at hand.

    `reason`: why it failed, None if it did not. `seconds`: how long the call took.
    """

    handler: str
    envelope: Envelope | None
    position: Position | None
    subject: str | None = None
    reason: Reason | None = None
    seconds: float | None = None
    attempt: int = 1

    @property
    def word(self) -> str:
        if self.reason is None:
            return "ok"
        return "parked" if self.reason.next_at is None else "retry"


def counted(metrics: Metrics, consumer: str, outcome: Outcome, *, part: int | None) -> None:
    """Count a failure, and tell it. `part`: the consumer's partition, None if several are carried together."""
    service, _, view = consumer.partition(".")
    if not view:  # else it folds a view, and has no handlers
        metrics.handled.add(service, outcome.handler, outcome.word)
    if outcome.reason is not None and outcome.reason.next_at is not None:
        metrics.retries.add(service, outcome.reason.kind)
    tell(consumer, outcome, part=part)


def are_told() -> bool:
    """Say whether somebody wants to read of calls that went well."""
    return _log.isEnabledFor(logging.DEBUG)


def tell(consumer: str, outcome: Outcome, *, part: int | None) -> None:
    """Write the outcome's line."""
    service, _, view = consumer.partition(".")
    level = {"ok": logging.DEBUG, "retry": logging.WARNING, "parked": logging.ERROR}[outcome.word]
    said = _said(service, view, outcome) | {"partition": part}
    _log.log(level, "%s: %s", consumer, _message(outcome.reason), extra=said)


def _message(reason: Reason | None) -> str:
    if reason is None:
        return "handled"
    failed = f"{reason.kind} ({reason.error.partition(':')[0]})"
    if reason.next_at is None:
        return f"{failed}; the subject waits until it is redriven or dropped, and `tidings dead show` says more"
    return f"{failed}; the subject waits, and is tried again by itself"


def _said(service: str, view: str, outcome: Outcome) -> dict[str, Any]:
    said = {"subject": outcome.subject} if outcome.envelope is None else of_event(outcome.envelope)
    return {
        **said,
        "service": service,
        "handler": outcome.handler or view or None,
        "attempt": outcome.attempt,
        "position": outcome.position,
        "duration_ms": None if outcome.seconds is None else round(outcome.seconds * 1_000, 3),
        "outcome": outcome.word,
    }
