"""What measures one open application: it wraps the two seams and the handlers, and answers who asks for metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from tidings.errors import SettingError
from tidings.log.driver import LogDriver
from tidings.log.log import Log
from tidings.ports import Clock, Ports
from tidings.services.functions import Handler
from tidings.services.service import Service
from tidings.store.driver import StoreDriver
from tidings.store.host import Host
from tidings.telemetry import table
from tidings.telemetry.calls import Calls
from tidings.telemetry.gauges import Gauges
from tidings.telemetry.log import MeteredLog
from tidings.telemetry.metrics import Metrics
from tidings.telemetry.scopes import ScopeMetrics
from tidings.telemetry.series import Gauge, Series
from tidings.telemetry.store import metered_store
from tidings.telemetry.traced import TracedLog
from tidings.telemetry.versions import VersionNotes

if TYPE_CHECKING:
    from tidings.telemetry.otel import Traces


class Telemetry:
    """Counts for one application. `types`: of the events that it declares. `ports`: those that tell this one, too.

    `otel`: also spans and metrics by OpenTelemetry's global providers, which name the host of the database at `url`;
    SettingError if it is not installed.
    """

    def __init__(self, types: Collection[str], ports: Ports, *, otel: bool = False, url: str = "") -> None:
        self.ports = replace(ports, observer=self)
        self._metrics = Metrics(types, ports.clock)
        self._traces = _traces(types, ports.clock, url) if otel else None
        self._calls = Calls(self._metrics, ports.clock, self._traces)
        self.version_notes = VersionNotes(ports.clock)
        self.scopes = ScopeMetrics(ports.clock)
        self._gauges: Gauges | None = None

    def log(self, driver: LogDriver) -> Log:
        """Return a log over the driver, measured."""
        metered = MeteredLog(driver, self._metrics, self.ports.clock)
        if self._traces is None:
            return Log(metered, self.ports, watch=self._metrics)
        return TracedLog(metered, self.ports, watch=self._metrics, traces=self._traces)

    def store(self, store: StoreDriver) -> StoreDriver:
        """Return the store, measured."""
        return metered_store(store, self._metrics, self._calls, self._traces)

    def handlers(self, service: Service) -> Sequence[Handler]:
        """Return the service's handlers, measured."""
        return [self._calls.metered(service.name, handler) for handler in service.handlers]

    def refused(self, type: str) -> None:
        """Count an event that was refused before it came to the log."""
        self._metrics.refused((type,))

    def limited(self, by: str) -> None:
        """Count a request that was refused because too many came. `by`: what of it was counted, a word of the table."""
        self._metrics.limited.add(by)

    def received(self, receiver: str, outcome: str) -> None:
        """Count a webhook. `receiver`: one that there is; `outcome`: a word of the table."""
        self._metrics.received.add(receiver, outcome)

    def rejected(self, receiver: str, reason: str) -> None:
        """Count a webhook that its verifier refused, for this reason."""
        self._metrics.received.add(receiver, "rejected")
        self._metrics.rejected.add(receiver, reason)

    def rejections(self, receiver: str) -> Mapping[str, int]:
        """Return how many webhooks a receiver's verifier has refused in this process, by reason."""
        counts = self._metrics.rejected.values
        return {reason: int(count) for (of, reason), count in counts.items() if of == receiver}

    @property
    def makes_spans(self) -> bool:
        return self._traces is not None

    def receiving(self, receiver: str, said: Mapping[str, str]) -> AbstractContextManager[Mapping[str, str]]:
        """Take a webhook in within this block; hand over the trace that its events are said in.

        `said`: the one that its sender says; none where that says none, and no spans are made here.
        """
        return nullcontext(said) if self._traces is None else self._traces.receive(receiver, said)

    def overdue(self, seconds: Mapping[str, float]) -> None:
        """Be told how long each receiver that said how often something comes has waited beyond that; 0: it has not."""
        self._metrics.overdue = dict(seconds)

    def refolded(self, view: str, rows: int) -> None:
        """Count rows of a view that were folded again from their history."""
        self._metrics.refolds.add(view, count=rows)

    def relayed(self, seconds: float) -> None:
        """Observe how long it took to append a page of what was staged."""
        self._metrics.relay_seconds.observe((seconds,))

    def contended(self, consumer: str) -> None:
        """Count a unit that is done again; the view of a consumer belongs to the service before the dot."""
        self._metrics.retries.add(consumer.partition(".")[0], "contended")

    def sent(self, endpoint: str, outcome: str, count: int) -> None:
        """Count what became of so many attempts to deliver to an endpoint."""
        self._metrics.sent.add(endpoint, outcome, count=count)

    def unreadable(self, consumer: str) -> None:
        """Count a stop before a version that cannot be read."""
        self._metrics.retries.add(consumer.partition(".")[0], "version-unreadable")

    def listed(self, scope: str, outcome: str) -> None:
        """Count a page of a provider's list."""
        self.scopes.pages.add(scope, outcome)

    def reconciled(self, scope: str, mode: str, seconds: float) -> None:
        """Observe how long a run took."""
        self.scopes.seconds.observe((seconds,), scope, mode)

    def breached(self, scope: str, fact: str) -> None:
        """Count a fact that a provider did not keep."""
        self.scopes.breaches.add(scope, fact)

    def watch(self, log: Log, store: StoreDriver, host: Host, services: Sequence[Service]) -> None:
        """Be told where to look when somebody asks."""
        self._gauges = Gauges(log, store, host, clock=self.ports.clock, services=services)

    async def series(self) -> Sequence[Series]:
        """Return everything that was counted, and how things stand."""
        looked = () if self._gauges is None else await self._gauges.look()
        ends = Gauge(table.SUNSET_SECONDS, list(self.version_notes.seconds.items()))
        return (*self._metrics.series(), *self.version_notes.counters, ends, *looked, *await self.scopes.look())


def _traces(types: Collection[str], clock: Clock, url: str) -> Traces:
    try:
        from tidings.telemetry.otel import Traces
    except ImportError as error:
        raise SettingError(
            f"otel (TIDINGS_OTEL) is on, but OpenTelemetry is not installed ({error}): run "
            "`pip install 'tidings[otel]'`, or leave the setting out"
        ) from None
    return Traces(types, clock, url)
