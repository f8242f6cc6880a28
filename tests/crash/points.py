"""The named points at which a process is killed or stopped, on each back end, and what does it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextvars import ContextVar

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
    "reconcile:page-received",
    "reconcile:page-judged",
    "reconcile:page-committed",
    "reconcile:late-recorded",
    "reconcile:suspect-answered",
    "reconcile:delete-appended",
    "reconcile:run-ended",
    "reconcile:approval-begun",
    "receiver:verified",
    "receiver:receipt-written",
    "receiver:committed",
    "receiver:answered",
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


IN_HANDLER = "unit:in-handler"
AFTERWARDS = frozenset(POINTS[POINTS.index(IN_HANDLER) + 1 : POINTS.index("unit:committed") + 1])
_has_handled: ContextVar[bool] = ContextVar("has handled", default=False)


def is_idle(name: str) -> bool:
    """Say whether a unit passes the point in whose task nothing was handled yet: there is nothing that it could lose.

    Such are the relay's, the first of which comes before any other. On a thread of SQLite's nobody knows; but there is
    no relay.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return name in AFTERWARDS and not _has_handled.get()


class Signalled:
    """Sends a signal to its own process, the `nth` time that it passes a point. None is sent for the name "".

    A unit passes the points behind its handlers only if there was something to handle.
    """

    def __init__(self, name: str, nth: int, which: signal.Signals) -> None:
        self._name = name
        self._left = nth
        self._signal = which

    def at(self, name: str) -> None:
        if name == IN_HANDLER:
            _has_handled.set(True)
        if name == self._name and not is_idle(name):
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), self._signal)
