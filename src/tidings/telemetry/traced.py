"""A log whose appends are spans of their callers' traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from tidings.events.envelope import Envelope
from tidings.log.driver import NOTHING_EXPECTED, Condition, LogDriver, Position, Receipt
from tidings.log.log import TIMEOUT, Log, Watch
from tidings.ports import Ports

if TYPE_CHECKING:
    from tidings.telemetry.otel import Traces


class TracedLog(Log):
    """See `tidings.log.log.Log`. An event that says no trace is said in the one that its caller runs in."""

    def __init__(self, driver: LogDriver, ports: Ports, *, watch: Watch, traces: Traces) -> None:
        super().__init__(driver, ports, watch=watch)
        self._traces = traces

    async def append(
        self,
        envelopes: Sequence[Envelope],
        *,
        expected: Mapping[str, Position] = NOTHING_EXPECTED,
        condition: Condition | None = None,
        timeout: timedelta = TIMEOUT,
    ) -> Receipt:
        if not envelopes:
            return await super().append(envelopes, expected=expected, condition=condition, timeout=timeout)
        with self._traces.publish(envelopes) as said:
            return await super().append(said, expected=expected, condition=condition, timeout=timeout)
