"""The named points at which a process is killed or stopped, on each back end, and what does it."""

from __future__ import annotations

import os
import signal

POINTS = (
    "append:before-begin",
    "append:after-probe",
    "append:after-draw",
    "append:after-insert",
    "append:commit-sent",
    "append:committed",
    "run:closed",
    "run:slice",
    "run:merged",
    "run:dropped",
    "unit:claimed",
    "unit:read",
    "unit:in-handler",
    "unit:after-handlers",
    "unit:after-advance",
    "unit:after-emit",
    "unit:commit-sent",
    "unit:committed",
    "failure:rolled-back",
    "failure:attempt-written",
    "failure:parked",
    "delivery:attempt-counted",
    "delivery:calling",
    "delivery:answered",
    "delivery:result-written",
    "relay:taken",
    "relay:published",
    "relay:answered",
    "relay:marked",
    "swap:building",
    "swap:drained",
    "swap:flipped",
)

SQLITES_OWN = frozenset(point for point in POINTS if point.startswith(("append:", "run:"))) - {
    "append:before-begin",
    "append:committed",
}
"""PostgreSQL judges and keeps an append in one statement, whose middle no client sees, and moves no keys."""


def of(room: str) -> list[str]:
    """Return the points of a room, such as `append`."""
    return [point for point in POINTS if point.startswith(f"{room}:")]


def on_each(room: str) -> list[tuple[str, str]]:
    """Return each back end with each point of a room that it has: for the fixture `place`, and a test."""
    on_postgresql = [("postgresql", point) for point in of(room) if point not in SQLITES_OWN]
    return [("sqlite", point) for point in of(room)] + on_postgresql


class Signalled:
    """Sends a signal to its own process, the `nth` time that it passes a point. None is sent for the name ""."""

    def __init__(self, name: str, nth: int, which: signal.Signals) -> None:
        self._name = name
        self._left = nth
        self._signal = which

    def at(self, name: str) -> None:
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), self._signal)
