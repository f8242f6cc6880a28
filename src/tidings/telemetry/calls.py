"""Handlers that are measured, and what became of each call: that is known when its unit is committed, not before."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tidings.events.envelope import Entry, Envelope
from tidings.events.identity import lane_subject
from tidings.ports import Clock
from tidings.services.context import Context
from tidings.services.functions import Handler
from tidings.store.claims import Claim
from tidings.store.parking import Parked
from tidings.store.reason import Reason
from tidings.telemetry.metrics import Metrics
from tidings.telemetry.outcomes import Outcome, are_told, counted, tell

if TYPE_CHECKING:
    from tidings.telemetry.otel import Traces


@dataclass(slots=True)
class _Open:
    """A consumer's unit while it is open. `part`: None if it carries several partitions.

    `done`: the handler of each call that went well, its seconds and its context; no more, for it is once an event.
    """

    part: int | None
    attempt: int = 1
    done: list[tuple[str, float, Context]] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)


class Calls:
    """Follows the calls of all handlers. A consumer has one unit open at a time, so its name tells whose it is."""

    def __init__(self, metrics: Metrics, clock: Clock, traces: Traces | None) -> None:
        self._metrics = metrics
        self._clock = clock
        self._traces = traces
        self._open: dict[str, _Open] = {}
        self._failing: dict[str, Outcome] = {}
        self._redriven: dict[str, Parked] = {}

    def metered(self, service: str, handler: Handler) -> Handler:
        """Return a handler that does the same, and is measured."""
        original = handler.call if self._traces is None else self._traced(service, handler, self._traces)
        is_async, name, inflight = inspect.iscoroutinefunction(original), handler.name, self._metrics.inflight
        now, open_units = self._clock.monotonic, self._open
        inflight.setdefault(service, 0)

        async def call(event: object, ctx: Context) -> None:
            inflight[service] += 1
            begun = now()
            try:
                result = original(event, ctx)
                if is_async or inspect.isawaitable(result):
                    await result  # type: ignore[misc]
            except BaseException:
                self._fail(service, name, ctx, now() - begun)
                raise
            finally:
                inflight[service] -= 1
            unit = open_units.get(service)
            if unit is not None:
                unit.done.append((name, now() - begun, ctx))

        return replace(handler, call=call)

    def _traced(self, service: str, handler: Handler, traces: Traces) -> Callable[[Any, Any], Awaitable[None]]:
        async def call(event: object, ctx: Context) -> None:
            unit = self._open.get(service)
            with traces.process(service, ctx.envelope, None if unit is None else unit.part):
                result = handler.call(event, ctx)
                if inspect.isawaitable(result):
                    await result

        return call

    def _fail(self, service: str, handler: str, ctx: Context, seconds: float) -> None:
        self._metrics.handler_seconds.observe((seconds,), service, handler)
        self._failing[service] = self._outcome(self._open.get(service), handler, seconds, ctx)

    def _outcome(self, unit: _Open | None, handler: str, seconds: float, ctx: Context) -> Outcome:
        attempt = 1 if unit is None else unit.attempt
        return Outcome(handler=handler, envelope=ctx.envelope, position=ctx.position, seconds=seconds, attempt=attempt)

    def begin(self, claims: Sequence[Claim]) -> None:
        """Be told that a unit of these claims begins."""
        part = claims[0].part if len(claims) == 1 else None
        self._open[claims[0].consumer] = _Open(part)

    def redrives(self, consumer: str) -> None:
        """Be told that the unit redrives an entry that was set aside."""
        self._open[consumer].attempt = self._redriven[consumer].attempts if consumer in self._redriven else 1

    def mark(self, consumer: str) -> int:
        """Return how many calls went well in the unit: what `undo` needs to forget those that come from here on."""
        return len(self._open[consumer].done)

    def undo(self, consumer: str, mark: int) -> None:
        """Be told that what was done since the mark is rolled back."""
        del self._open[consumer].done[mark:]

    def set_aside(self, consumer: str, entry: Entry, reason: Reason) -> None:
        """Be told, inside its unit, why an entry is set aside."""
        last = self._failing.pop(consumer, None)
        if last is None or last.position != entry.position:
            last = Outcome(handler="", envelope=entry.envelope, position=entry.position)
        self._open[consumer].failed.append(replace(last, reason=reason))

    def attempted(self, parked: Parked) -> None:
        """Be told that a redrive begins."""
        self._redriven[parked.consumer] = parked

    def put_off(self, claim: Claim, subject: str, reason: Reason) -> None:
        """Be told, outside of any unit, how a redrive failed."""
        last = self._failing.pop(claim.consumer, None)
        if last is None or last.envelope is None or _lane(last.envelope) != subject:
            parked = self._redriven.get(claim.consumer)
            position, attempt = (None, 1) if parked is None else (parked.first_position, parked.attempts)
            last = Outcome(handler="", envelope=None, position=position, subject=subject, attempt=attempt)
        counted(self._metrics, claim.consumer, replace(last, reason=reason), part=claim.part)

    def end(self, consumer: str, *, is_kept: bool) -> None:
        """Be told that the unit has ended."""
        unit = self._open.pop(consumer, None)
        if unit is None or not is_kept:
            return
        if unit.done:
            self._end_well(consumer, unit)
        for outcome in unit.failed:
            counted(self._metrics, consumer, outcome, part=unit.part)

    def _end_well(self, consumer: str, unit: _Open) -> None:
        seconds: dict[str, list[float]] = {}
        for handler, took, _ in unit.done:
            seconds.setdefault(handler, []).append(took)
        for handler, each in seconds.items():
            self._metrics.handler_seconds.observe(each, consumer, handler)
            self._metrics.handled.add(consumer, handler, "ok", count=len(each))
        if are_told():
            for handler, took, ctx in unit.done:
                tell(consumer, self._outcome(unit, handler, took, ctx), part=unit.part)


def _lane(envelope: Envelope) -> str:
    return lane_subject(envelope.source, envelope.id, envelope.subject)
