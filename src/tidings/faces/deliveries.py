"""Calls to the outside, and each attempt at one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tidings.events.timestamp import time_text
from tidings.store.attempts import Attempt

_SHOWN = (
    *("key", "service", "function", "endpoint", "position", "type", "subject", "pin"),
    *("state", "attempts", "reason", "error"),
)
_TIMES = ("next_at", "intended", "closed")


def delivery_object(delivery: Mapping[str, Any]) -> dict[str, Any]:
    """Return a delivery without its payload, which may hold what only its receiver may see."""
    times = {name: None if delivery[name] is None else time_text(delivery[name]) for name in _TIMES}
    return {**{name: delivery[name] for name in _SHOWN}, **times}


def attempt_objects(attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
    """Return the kept attempts of one delivery, oldest first. `round` as of `in_rounds`."""
    return [{"round": round, **attempt_object(each)} for round, each in in_rounds(attempts)]


def in_rounds(attempts: Sequence[Attempt]) -> Iterator[tuple[int, Attempt]]:
    """Yield the kept attempts of one delivery with their round: from 1, one more with each retry."""
    round, last = 1, 0
    for each in attempts:
        round += each.number <= last
        last = each.number
        yield round, each


def attempt_object(attempt: Attempt) -> dict[str, Any]:
    """Return one attempt. `outcome`: "delivered", or why it failed; None while it is under way, or was lost.

    `answer`: what an endpoint answered, as far as that is kept.
    """
    return {
        "attempt": attempt.number,
        "began": time_text(attempt.began),
        "duration_ms": None if attempt.milliseconds is None else round(attempt.milliseconds, 3),
        "outcome": attempt.outcome,
        "error": attempt.error,
        "answer": None if attempt.answer is None else json.loads(attempt.answer),
    }
