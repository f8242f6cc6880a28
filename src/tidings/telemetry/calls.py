"""Handlers that are measured, and what became of each call: that is known when its unit is committed, not before."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from tidings.ports import Clock
from tidings.services.functions import Handler
from tidings.store.driver import Reason
from tidings.telemetry.metrics import Metrics

Outcome = tuple[str, str]
"""The handler, and "ok", "retry" or "parked"."""


class Calls:
    """Counts handlers' calls of all services. A consumer has one unit open at a time, so its name tells whose it is."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._open: dict[str, list[Outcome]] = {}
        self._failing: dict[str, str] = {}

    def metered(self, service: str, handler: Handler) -> Handler:
        """Return a handler that does the same, and is measured."""
        original, name, clock, metrics = handler.call, handler.name, self._clock, self._metrics

        async def call(event: Any, ctx: Any) -> None:
            metrics.inflight[service] = metrics.inflight.get(service, 0) + 1
            begun = clock.monotonic()
            try:
                result = original(event, ctx)
                if inspect.isawaitable(result):
                    await result
            except BaseException:
                self._failing[service] = name
                raise
            finally:
                metrics.inflight[service] -= 1
                metrics.handler_seconds.observe((clock.monotonic() - begun,), service, name)
            self._open.setdefault(service, []).append((name, "ok"))

        return replace(handler, call=call)

    def begin(self, consumer: str) -> None:
        """Be told that a unit of this consumer begins."""
        self._open[consumer] = []

    def mark(self, consumer: str) -> int:
        """Return what `undo` needs to forget what comes from here on."""
        return len(self._open[consumer])

    def undo(self, consumer: str, mark: int) -> None:
        """Be told that what was done since the mark is rolled back."""
        del self._open[consumer][mark:]

    def set_aside(self, consumer: str, reason: Reason) -> None:
        """Be told, inside its unit, why an entry is set aside."""
        self._open.setdefault(consumer, []).append((self._failing.pop(consumer, ""), _outcome(reason)))
        self._count_retry(consumer, reason)

    def put_off(self, consumer: str, reason: Reason) -> None:
        """Be told, outside of any unit, how a redrive failed."""
        self._count(consumer, (self._failing.pop(consumer, ""), _outcome(reason)))
        self._count_retry(consumer, reason)

    def end(self, consumer: str, *, is_kept: bool) -> None:
        """Be told that the unit has ended."""
        for outcome in self._open.pop(consumer, ()):
            if is_kept:
                self._count(consumer, outcome)

    def _count(self, consumer: str, outcome: Outcome) -> None:
        if "." not in consumer:  # else it folds a view, and has no handlers
            self._metrics.handled.add(consumer, *outcome)

    def _count_retry(self, consumer: str, reason: Reason) -> None:
        if reason.next_at is not None:
            self._metrics.retries.add(consumer.partition(".")[0], reason.kind)


def _outcome(reason: Reason) -> str:
    return "parked" if reason.next_at is None else "retry"
