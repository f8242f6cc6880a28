"""Every metric there is, as data: what `/metrics` shows, and what the reference says of it.

No label ever holds an id, a key, a subject or a URL: labels are names that the application declares, ids of
endpoints, of which there are few, and words of this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tidings.reconciliation.rules.delays import BOUNDS

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WRITES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0)
RUNS = (0.1, 1.0, 10.0, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0)
UNKNOWN_TYPE = "unknown"
"""The label of every event type that the application does not declare."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `buckets`: upper bounds of a histogram."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


def _counter(name: str, help: str, *labels: str) -> Metric:
    return Metric(name, "counter", labels, help)


def _gauge(name: str, help: str, *labels: str) -> Metric:
    return Metric(name, "gauge", labels, help)


def _histogram(name: str, help: str, *labels: str, buckets: tuple[float, ...] = SECONDS) -> Metric:
    return Metric(name, "histogram", labels, help, buckets)


APPENDS = _counter(
    "tidings_append_total",
    "Events appended or emitted by this process: appended, duplicate, conflict, refused",
    "type",
    "outcome",
)
APPEND_SECONDS = _histogram("tidings_append_seconds", "From the call to the receipt of a write that was answered")
FLUSH_SECONDS = _histogram("tidings_flush_seconds", "What the back end took for the writes it was sent together")
FLUSH_WRITES = _histogram("tidings_flush_writes", "Writes sent to the back end together", buckets=WRITES)
LIMITED = _counter("tidings_limited_total", "Requests refused because too many came: by address, key, source", "by")
RECEIVED = _counter(
    "tidings_receive_total",
    "Webhooks by what became of them: stored, duplicate, conflict, rejected, failed, too_large, limited",
    "receiver",
    "outcome",
)
REJECTED = _counter(
    "tidings_receive_rejected_total",
    "Webhooks that a receiver's verifier refused, by its reason",
    "receiver",
    "reason",
)
OVERDUE_SECONDS = _gauge(
    "tidings_receiver_overdue_seconds",
    "How long a receiver has been silent beyond its `expected_every`, 0 if it has not",
    "receiver",
)
LOG_HEAD = _gauge("tidings_log_head", "The position of the newest entry")
HOLE_SECONDS = _gauge("tidings_hole_seconds", "How long readers have waited for a position that a writer holds open")
QUEUE_BYTES = _gauge("tidings_queue_bytes", "Bytes of writes that wait for the back end")
HANDLED = _counter(
    "tidings_handler_total",
    "Calls of handlers by what became of them: ok, retry, parked; handler is empty if none was reached",
    "service",
    "handler",
    "outcome",
)
HANDLER_SECONDS = _histogram("tidings_handler_duration_seconds", "How long a handler's call took", "service", "handler")
INFLIGHT = _gauge("tidings_inflight", "Calls of handlers under way", "service")
RETRIES = _counter("tidings_retries_total", "Attempts that failed and are made again", "service", "reason")
DEAD_LETTERS = _gauge("tidings_dead_letters", "Entries set aside, until they are handled or dropped", "consumer")
DEAD_CALLS = _gauge("tidings_dead_calls", "Calls of functions that were given up, 10,000 at most", "service")
DEAD_RECEIPTS = _gauge("tidings_dead_receipts", "Webhooks that are no events, 10,000 at most", "receiver")
PARKED = _gauge("tidings_parked_subjects", "Subjects that wait for a retry or an operator", "consumer")
PARKED_SECONDS = _gauge("tidings_parked_oldest_seconds", "How long the first of them has waited", "consumer")
RETRYING = _gauge("tidings_retrying_subjects", "Those of them that are tried again by themselves", "consumer")
LAG_ENTRIES = _gauge(
    "tidings_consumer_lag_entries",
    "Entries that are not settled, counted no further than 10,000",
    "consumer",
    "partition",
)
LAG_SECONDS = _gauge("tidings_consumer_lag_seconds", "The age of the first of them", "consumer", "partition")
VIEW_POSITION = _gauge("tidings_view_position", "The position that a view has come to", "view")
REFOLDS = _counter("tidings_refolds_total", "Rows folded again from their history, since something came late", "view")
OUTBOX = _gauge("tidings_outbox_pending", "Events that wait to be appended by the relay, 10,000 at most")
OUTBOX_SECONDS = _gauge("tidings_outbox_oldest_seconds", "How long the first of them has waited")
RELAY_SECONDS = _histogram(
    "tidings_relay_publish_seconds", "What it took to append a page of what others staged, and to take it out"
)
SENT = _counter(
    "tidings_webhook_deliveries_total",
    "Attempts to deliver to endpoints by what became of them: delivered, retry, dead, held, expired, cancelled",
    "endpoint",
    "outcome",
)
ENDPOINT_STATE = _gauge(
    "tidings_endpoint_state",
    "1 for the state an endpoint is in: active, degraded, paused, disabled",
    "endpoint",
    "state",
)
ENDPOINT_PENDING = _gauge(
    "tidings_endpoint_pending",
    "Deliveries that are due, behind another one or on their way, 10,000 at most",
    "endpoint",
)
ENDPOINT_HELD = _gauge("tidings_endpoint_held", "Deliveries that are held, 10,000 at most", "endpoint")
ENDPOINT_DEAD = _gauge("tidings_endpoint_dead", "Deliveries that were given up, 10,000 at most", "endpoint")
ENDPOINT_SECONDS = _gauge(
    "tidings_endpoint_oldest_seconds", "How long the first of what is pending or held has waited", "endpoint"
)
DEPRECATED = _counter(
    "tidings_version_deprecated_total",
    "Events published, here, in a version that is deprecated",
    "type",
    "version",
)
FORCED = _counter(
    "tidings_version_forced_total",
    "Events published, here, though their version was not open, since the policy is to warn",
    "type",
    "version",
)
SUNSET_SECONDS = _gauge(
    "tidings_version_sunset_seconds",
    "How long a deprecated version still goes on, negative once its date is over",
    "type",
    "version",
)
ASOF = _gauge(
    "tidings_asof_seconds",
    "Up to when a copy is proved right, in seconds since 1970: its states, and deletes",
    "scope",
    "kind",
)
STALENESS = _gauge(
    "tidings_staleness_seconds",
    "How old that is, negative where a clock was wrong; while nothing was proved, how long ago the scope was run first",
    "scope",
    "kind",
)
EXPECTED = _gauge(
    "tidings_staleness_expected_seconds", "How old it may become; none where nothing runs by itself", "scope"
)
PROVIDER_AHEAD = _gauge(
    "tidings_provider_ahead_seconds",
    "How far a provider's clock is ahead of ours by its answers, beyond what is declared of it",
    "scope",
)
EXCEPTIONS = _gauge("tidings_asof_exceptions", "Items of which nothing is said", "scope")
VIOLATIONS = _counter(
    "tidings_asof_violations_total",
    "States that a copy was said to have, and had not: a declared fact is false",
    "scope",
)
CORRECTIONS = _counter(
    "tidings_reconcile_corrections_total",
    "Findings whose events were missed, by what was found and why, as far as that was known then",
    "scope",
    "kind",
    "cause",
)
RECONCILE_OPEN = _gauge("tidings_reconcile_findings_open", "Repairs that the copy has not taken in yet", "scope")
RECONCILE_SUSPECTS = _gauge(
    "tidings_reconcile_suspects", "Items that a list did not show, and that are asked for", "scope"
)
RECONCILE_HELD = _gauge("tidings_reconcile_held", "1 while the last run holds deletes that wait for somebody", "scope")
RECONCILE_PAGES = _counter(
    "tidings_reconcile_pages_total", "Pages of lists read by this process: taken, doubted, failed", "scope", "outcome"
)
RECONCILE_SECONDS = _histogram(
    "tidings_reconcile_run_seconds", "How long runs took that ended in this process", "scope", "mode", buckets=RUNS
)
RECONCILE_BREACHES = _counter(
    "tidings_reconcile_breaches_total", "Facts that a provider did not keep, as this process saw", "scope", "fact"
)
RECONCILE_LATE = _counter(
    "tidings_reconcile_late_total", "Events that came once what they say was known by a list", "scope"
)
RECONCILE_LATES = _histogram(
    "tidings_reconcile_late_seconds",
    "How long after their changes events came of which a list was quicker to tell",
    "scope",
    buckets=tuple(float(each) for each in BOUNDS),
)
RECONCILE_DIRTY = _gauge("tidings_reconcile_dirty_keys", "Items that have to be read", "scope")
PROVIDER_TOKENS = _gauge(
    "tidings_provider_tokens", "Reads that may be made at once, by whom: live, verify, bulk", "provider", "priority"
)
PROVIDER_PAUSED = _gauge(
    "tidings_provider_paused_seconds", "For how long nothing is asked, as the provider wants it", "provider"
)
LEASES_LOST = _counter("tidings_leases_lost_total", "Leases that ended before they were given back", "consumer")
FENCED = _counter("tidings_fenced_writes_total", "Writes refused because the lease was another's by then", "consumer")
LOG_CONNECTED = _gauge("tidings_log_connected", "1 if the log answers, else 0")
STORE_CONNECTED = _gauge("tidings_store_connected", "1 if the store answers, else 0")

METRICS = (
    APPENDS,
    APPEND_SECONDS,
    FLUSH_SECONDS,
    FLUSH_WRITES,
    LIMITED,
    RECEIVED,
    REJECTED,
    OVERDUE_SECONDS,
    LOG_HEAD,
    HOLE_SECONDS,
    QUEUE_BYTES,
    HANDLED,
    HANDLER_SECONDS,
    INFLIGHT,
    RETRIES,
    DEAD_LETTERS,
    DEAD_CALLS,
    DEAD_RECEIPTS,
    PARKED,
    PARKED_SECONDS,
    RETRYING,
    LAG_ENTRIES,
    LAG_SECONDS,
    VIEW_POSITION,
    REFOLDS,
    OUTBOX,
    OUTBOX_SECONDS,
    RELAY_SECONDS,
    SENT,
    ENDPOINT_STATE,
    ENDPOINT_PENDING,
    ENDPOINT_HELD,
    ENDPOINT_DEAD,
    ENDPOINT_SECONDS,
    DEPRECATED,
    FORCED,
    SUNSET_SECONDS,
    ASOF,
    STALENESS,
    EXPECTED,
    PROVIDER_AHEAD,
    EXCEPTIONS,
    VIOLATIONS,
    CORRECTIONS,
    RECONCILE_OPEN,
    RECONCILE_SUSPECTS,
    RECONCILE_HELD,
    RECONCILE_PAGES,
    RECONCILE_SECONDS,
    RECONCILE_BREACHES,
    RECONCILE_LATE,
    RECONCILE_LATES,
    RECONCILE_DIRTY,
    PROVIDER_TOKENS,
    PROVIDER_PAUSED,
    LEASES_LOST,
    FENCED,
    LOG_CONNECTED,
    STORE_CONNECTED,
)
