"""Spans and metrics by OpenTelemetry's messaging conventions, for whoever has set a provider up.

The only module that imports it, and imported only where the setting `otel` is on. The trace of an event is the one in
which it was said: `publish` writes it into the event, `process` links to it from a trace of its own, and what the
handler emits is said in that one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tidings.events.envelope import Envelope
from tidings.ports import Clock
from tidings.telemetry.table import UNKNOWN_TYPE

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_SYSTEM = {"messaging.system": "tidings"}
_carried = TraceContextTextMapPropagator()


class Traces:
    """Makes spans and counts messages. `types`: of the events that are declared; others have no name in metrics.

    `url`: of the database, whose host is the server that spans name; an embedded one has none.
    """

    def __init__(self, types: Collection[str], clock: Clock, url: str = "") -> None:
        self._types = frozenset(types)
        self._system = _SYSTEM | _server(url)
        self._clock = clock
        self._tracer = trace.get_tracer("tidings")
        meter = metrics.get_meter("tidings")
        self._sent = meter.create_counter("messaging.client.sent.messages", "{message}")
        self._consumed = meter.create_counter("messaging.client.consumed.messages", "{message}")
        self._operations, self._processing = (
            meter.create_histogram(name, "s", explicit_bucket_boundaries_advisory=BUCKETS)
            for name in ("messaging.client.operation.duration", "messaging.process.duration")
        )

    def publish(self, envelopes: Sequence[Envelope]) -> AbstractContextManager[tuple[Envelope, ...]]:
        """Append in this block what is handed over: the same envelopes, each with the trace it is said in."""
        return self._publish(envelopes, is_timed=True)

    @contextmanager
    def _publish(self, envelopes: Sequence[Envelope], *, is_timed: bool) -> Iterator[tuple[Envelope, ...]]:
        types = {envelope.type for envelope in envelopes}
        type = types.pop() if len(types) == 1 else None
        named = self._named("publish", "send") | self._destination(type)
        context = _carried.extract(_carrier(envelopes[0])) if _is_traced(envelopes[0]) else None
        with self._span(
            "publish" if type is None else f"publish {type}",
            SpanKind.PRODUCER,
            named | _of(envelopes),
            context=context,
        ) as span:
            carrier: dict[str, str] = {}
            _carried.inject(carrier)
            begun, error = self._clock.monotonic(), ""
            try:
                yield tuple(_said_in(envelope, carrier) for envelope in envelopes)
            except BaseException as failed:
                error = _fail(span, failed)
                raise
            finally:
                counted = named | ({"error.type": error} if error else {})
                if is_timed:
                    self._operations.record(self._clock.monotonic() - begun, counted)
                self._sent.add(len(envelopes), counted)

    def emit(self, envelopes: Sequence[Envelope]) -> tuple[Envelope, ...]:
        """Return what is emitted with the trace of the handler or command that runs now, not of what caused it."""
        bare = [msgspec.structs.replace(each, attributes=_untraced(each.attributes)) for each in envelopes]
        with self._publish(bare, is_timed=False) as said:  # it is sent with the unit, which `settle` times
            pass
        return tuple(new if _is_traced(new) else old for new, old in zip(said, envelopes, strict=True))

    @contextmanager
    def receive(self, receiver: str, said: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
        """Take a webhook in within this block; hand over the trace that its events are said in.

        `said`: the trace that its sender says, which it is a part of then.
        """
        named = self._named("receive", "receive") | {"messaging.destination.name": receiver}
        context = _carried.extract(said, Context())
        with self._span(f"receive {receiver}", SpanKind.CONSUMER, named, context=context) as span:
            carrier: dict[str, str] = {}
            _carried.inject(carrier)
            begun, error = self._clock.monotonic(), ""
            try:
                yield carrier
            except BaseException as failed:
                error = _fail(span, failed)
                raise
            finally:
                counted = named | ({"error.type": error} if error else {})
                self._operations.record(self._clock.monotonic() - begun, counted)
                self._consumed.add(1, counted)

    @contextmanager
    def process(self, service: str, envelope: Envelope, part: int | None) -> Iterator[None]:
        """Run a handler in this block: in a trace of its own, linked to the one in which the event was said."""
        said = trace.get_current_span(_carried.extract(_carrier(envelope), Context())).get_span_context()
        named = self._named("process", "process") | self._destination(envelope.type)
        named["messaging.consumer.group.name"] = service
        more = {} if part is None else {"messaging.destination.partition.id": str(part)}
        with self._span(
            f"process {envelope.type}",
            SpanKind.CONSUMER,
            named | more | _of((envelope,)),
            context=Context(),
            links=[Link(said)] if said.is_valid else [],
        ) as span:
            begun, error = self._clock.monotonic(), ""
            try:
                yield
            except BaseException as failed:
                error = _fail(span, failed)
                raise
            finally:
                counted = named | ({"error.type": error} if error else {})
                self._processing.record(self._clock.monotonic() - begun, counted)
                self._consumed.add(1, counted)

    @contextmanager
    def settle(self, consumer: str, *, part: int | None, count: int) -> Iterator[None]:
        """Commit in this block what a consumer did; `count`: the outcomes that are kept with it, 0 if unknown."""
        named = self._named("settle", "settle") | {"messaging.consumer.group.name": consumer}
        more: dict[str, Any] = {"messaging.batch.message_count": count} if count else {}
        if part is not None:
            more["messaging.destination.partition.id"] = str(part)
        with self._span(f"settle {consumer}", SpanKind.CLIENT, named | more, context=Context()) as span:
            begun, error = self._clock.monotonic(), ""
            try:
                yield
            except BaseException as failed:
                error = _fail(span, failed)
                raise
            finally:
                counted = named | ({"error.type": error} if error else {})
                self._operations.record(self._clock.monotonic() - begun, counted)

    @contextmanager
    def _span(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, Any],
        *,
        context: Context | None,
        links: Sequence[Link] = (),
    ) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name,
            context,
            kind,
            attributes,
            links,
            record_exception=False,  # its words may hold what the event holds
            set_status_on_exception=False,
        ) as span:
            yield span

    def _named(self, name: str, kind: str) -> dict[str, Any]:
        return {**self._system, "messaging.operation.name": name, "messaging.operation.type": kind}

    def _destination(self, type: str | None) -> dict[str, Any]:
        if type is None:
            return {}
        return {"messaging.destination.name": type if type in self._types else UNKNOWN_TYPE}


def _server(url: str) -> dict[str, Any]:
    """Return `server.address` and `server.port`; nothing for a database in a file or one of several hosts."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return {}
    if not host:
        return {}
    return {"server.address": host} | ({} if port is None else {"server.port": port})


def _of(envelopes: Sequence[Envelope]) -> dict[str, Any]:
    """Return what a span says of its message, or of how many there are."""
    if len(envelopes) > 1:
        return {"messaging.batch.message_count": len(envelopes)}
    [envelope] = envelopes
    return {
        "messaging.message.id": envelope.id,
        "messaging.message.conversation_id": envelope.correlation_id or envelope.id,
        "messaging.message.body.size": len(envelope.data or b""),
        "cloudevents.event_id": envelope.id,
        "cloudevents.event_source": envelope.source,
        "cloudevents.event_type": envelope.type,
    }


def _fail(span: Span, error: BaseException) -> str:
    name = type(error).__name__
    span.set_attribute("error.type", name)
    span.set_status(StatusCode.ERROR)
    return name


def _carrier(envelope: Envelope) -> dict[str, str]:
    return {name: str(envelope.attributes[name]) for name in _carried.fields if name in envelope.attributes}


def _is_traced(envelope: Envelope) -> bool:
    return "traceparent" in envelope.attributes


def _untraced(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in _carried.fields}


def _said_in(envelope: Envelope, carrier: Mapping[str, str]) -> Envelope:
    if _is_traced(envelope) or not carrier:
        return envelope
    return msgspec.structs.replace(envelope, attributes={**envelope.attributes, **carrier})
