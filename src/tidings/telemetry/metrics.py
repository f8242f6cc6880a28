"""What one open application counts."""

from __future__ import annotations

from collections import Counter as TallyOf
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from tidings.events.envelope import Envelope
from tidings.log.driver import Outcome, Receipt
from tidings.ports import Clock
from tidings.telemetry import table
from tidings.telemetry.series import Counter, Gauge, Histogram, Series


class Metrics:
    """The counters and histograms of one application. `types`: of the events that it declares.

    It is told once per flush, page or failure where that can be, since a label looked up per event would be felt.
    """

    def __init__(self, types: Collection[str], clock: Clock) -> None:
        self._types = frozenset(types)
        self._clock = clock
        self.appends = Counter(table.APPENDS)
        self.append_seconds = Histogram(table.APPEND_SECONDS)
        self.flush_seconds = Histogram(table.FLUSH_SECONDS)
        self.flush_writes = Histogram(table.FLUSH_WRITES)
        self.limited = Counter(table.LIMITED)
        self.received = Counter(table.RECEIVED)
        self.rejected = Counter(table.REJECTED)
        self.overdue: dict[str, float] = {}
        self.handled = Counter(table.HANDLED)
        self.handler_seconds = Histogram(table.HANDLER_SECONDS)
        self.inflight: dict[str, int] = {}
        self.retries = Counter(table.RETRIES)
        self.refolds = Counter(table.REFOLDS)
        self.relay_seconds = Histogram(table.RELAY_SECONDS)
        self.sent = Counter(table.SENT)
        self.leases_lost = Counter(table.LEASES_LOST)
        self.fenced = Counter(table.FENCED)

    def appended(self, writes: Iterable[tuple[Sequence[Envelope], Receipt]]) -> None:
        """Count the envelopes of writes that were judged."""
        counts: defaultdict[tuple[str, Outcome], int] = defaultdict(int)
        for envelopes, receipt in writes:
            if receipt.known:
                for place, envelope in enumerate(envelopes):
                    counts[envelope.type, receipt.outcome_of(place)] += 1
            elif len(envelopes) == 1:
                counts[envelopes[0].type, receipt.outcome] += 1
            else:
                for type, count in TallyOf([envelope.type for envelope in envelopes]).items():
                    counts[type, receipt.outcome] += count
        for (type, outcome), count in counts.items():
            self.appends.add(self._known(type), outcome, count=count)

    def answered(self, begun: Sequence[float]) -> None:
        """See `tidings.log.log.Watch`."""
        now = self._clock.monotonic()
        self.append_seconds.observe([now - each for each in begun])

    def refused(self, types: Iterable[str]) -> None:
        """Count events that were refused before the log could judge them."""
        for type in types:
            self.appends.add(self._known(type), "refused")

    def _known(self, type: str) -> str:
        return type if type in self._types else table.UNKNOWN_TYPE

    def series(self) -> Sequence[Series]:
        """Return everything that was counted."""
        inflight = Gauge(table.INFLIGHT, [((service,), count) for service, count in self.inflight.items()])
        appends = (self.appends, self.append_seconds, self.flush_seconds, self.flush_writes)
        overdue = Gauge(table.OVERDUE_SECONDS, [((receiver,), late) for receiver, late in self.overdue.items()])
        requests = (self.limited, self.received, self.rejected, overdue)
        consumers = (self.handled, self.handler_seconds, self.retries, self.refolds, self.leases_lost, self.fenced)
        return (*appends, *requests, *consumers, self.relay_seconds, self.sent, inflight)
