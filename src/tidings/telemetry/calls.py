"""Handlers that are measured, and what became of each call: that is known when its unit is committed, not before."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tidings.events.envelope import Entry
from tidings.ports import Clock
from tidings.services.context import Context
from tidings.services.functions import Handler
from tidings.store.claims import Claim
from tidings.store.driver import Parked, Reason
from tidings.telemetry.metrics import Metrics
from tidings.telemetry.outcomes import Outcome, counted

if TYPE_CHECKING:
    from tidings.telemetry.otel import Traces


@dataclass(slots=True)
class _Open:
    """A consumer's unit while it is open. `part`: None if it carries several partitions."""

    part: int | None
    attempt: int = 1
    outcomes: list[Outcome] = field(default_factory=list)


class Calls:
    """Follows the calls of all handlers. A consumer has one unit open at a time, so its name tells whose it is."""

    def __init__(self, metrics: Metrics, clock: Clock, traces: Traces | None) -> None:
        self._metrics = metrics
        self._clock = clock
        self._traces = traces
        self._open: dict[str, _Open] = {}
        self._failing: dict[str, Outcome] = {}
        self._attempts: dict[str, int] = {}

    def metered(self, service: str, handler: Handler) -> Handler:
        """Return a handler that does the same, and is measured."""
        inflight = self._metrics.inflight
        original = handler.call if self._traces is None else self._traced(service, handler, self._traces)

        async def call(event: object, ctx: Context) -> None:
            inflight[service] = inflight.get(service, 0) + 1
            begun, failed = self._clock.monotonic(), True
            try:
                result = original(event, ctx)
                if inspect.isawaitable(result):
                    await result
                failed = False
            finally:
                inflight[service] -= 1
                self._called(service, handler.name, ctx, self._clock.monotonic() - begun, failed=failed)

        return replace(handler, call=call)

    def _traced(self, service: str, handler: Handler, traces: Traces) -> Callable[[Any, Any], Awaitable[None]]:
        async def call(event: object, ctx: Context) -> None:
            unit = self._open.get(service)
            with traces.process(service, ctx.envelope, None if unit is None else unit.part):
                result = handler.call(event, ctx)
                if inspect.isawaitable(result):
                    await result

        return call

    def _called(self, service: str, handler: str, ctx: Context, seconds: float, *, failed: bool) -> None:
        self._metrics.handler_seconds.observe((seconds,), service, handler)
        unit = self._open.get(service)
        attempt = 1 if unit is None else unit.attempt
        made = Outcome(handler=handler, envelope=ctx.envelope, position=ctx.position, seconds=seconds, attempt=attempt)
        if failed:
            self._failing[service] = made
        elif unit is not None:
            unit.outcomes.append(made)

    def begin(self, claims: Sequence[Claim]) -> None:
        """Be told that a unit of these claims begins."""
        part = claims[0].part if len(claims) == 1 else None
        self._open[claims[0].consumer] = _Open(part)

    def redrives(self, consumer: str) -> None:
        """Be told that the unit redrives an entry that was set aside."""
        self._open[consumer].attempt = self._attempts.get(consumer, 1)

    def mark(self, consumer: str) -> int:
        """Return how many outcomes the unit has: what `undo` needs to forget those that come from here on."""
        return len(self._open[consumer].outcomes)

    def undo(self, consumer: str, mark: int) -> None:
        """Be told that what was done since the mark is rolled back."""
        del self._open[consumer].outcomes[mark:]

    def set_aside(self, consumer: str, entry: Entry, reason: Reason) -> None:
        """Be told, inside its unit, why an entry is set aside."""
        last = self._failing.pop(consumer, None)
        if last is None or last.position != entry.position:
            last = Outcome(handler="", envelope=entry.envelope, position=entry.position)
        self._open[consumer].outcomes.append(replace(last, reason=reason))

    def attempted(self, parked: Parked) -> None:
        """Be told that a redrive begins."""
        self._attempts[parked.consumer] = parked.attempts

    def put_off(self, claim: Claim, subject: str, reason: Reason) -> None:
        """Be told, outside of any unit, how a redrive failed."""
        last = self._failing.pop(claim.consumer, None)
        if last is None:
            attempt = self._attempts.get(claim.consumer, 1)
            last = Outcome(handler="", envelope=None, position=None, subject=subject, attempt=attempt)
        counted(self._metrics, claim.consumer, replace(last, reason=reason), part=claim.part)

    def end(self, consumer: str, *, is_kept: bool) -> None:
        """Be told that the unit has ended."""
        unit = self._open.pop(consumer, None)
        if unit is None or not is_kept:
            return
        for outcome in unit.outcomes:
            counted(self._metrics, consumer, outcome, part=unit.part)
