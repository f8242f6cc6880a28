"""Spans and metrics by OpenTelemetry's messaging conventions, as its own SDK exports them."""

from __future__ import annotations

import builtins
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.acceptance.webhooks import SECRET, Till, delivery, signed
from tests.unit.telemetry.shop import Placed, carry, placed, shop
from tidings import Settings
from tidings.api.application import application
from tidings.app.opened import Opened
from tidings.errors import ConflictError, SettingError
from tidings.events.envelope import Entry, Envelope
from tidings.ports import Ports
from tidings.telemetry.otel import Traces

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
ON = Settings(database_url="sqlite:///:memory:", otel="on")


class Exported:
    """What was exported since the test began. A process has one provider of each kind, and keeps it."""

    def __init__(self, spans: InMemorySpanExporter, reader: InMemoryMetricReader) -> None:
        self._spans = spans
        self._reader = reader
        self._before = self._points()

    def spans(self, name: str) -> Sequence[ReadableSpan]:
        return [span for span in self._spans.get_finished_spans() if span.name == name]

    def span(self, name: str) -> ReadableSpan:
        [found] = self.spans(name)
        return found

    def counts(self, name: str) -> dict[tuple[str, str], float]:
        """Return how often what was measured, by operation (or group) and error."""
        now = self._points()
        return {
            key[1:]: now[key] - self._before.get(key, 0)
            for key in now
            if key[0] == name and now[key] > self._before.get(key, 0)
        }

    def bounds(self, name: str) -> Sequence[float]:
        return next(point.explicit_bounds for found, point in self._every() if found == name)

    def _points(self) -> dict[tuple[str, str, str], float]:
        found: dict[tuple[str, str, str], float] = {}
        for name, point in self._every():
            key = (
                name,
                str(point.attributes["messaging.operation.name"]),
                str(point.attributes.get("error.type", "")),
            )
            found[key] = found.get(key, 0) + (point.count if hasattr(point, "count") else point.value)
        return found

    def _every(self) -> list[tuple[str, Any]]:
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        every = [metric for scope in scopes if scope.scope.name == "tidings" for metric in scope.metrics]
        return [(metric.name, point) for metric in every for point in metric.data.data_points]


@pytest.fixture(scope="session")
def sdk() -> tuple[InMemorySpanExporter, InMemoryMetricReader]:
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    return spans, reader


@pytest.fixture
def exported(sdk: tuple[InMemorySpanExporter, InMemoryMetricReader]) -> Exported:
    sdk[0].clear()
    return Exported(*sdk)


@pytest.fixture
async def opened(exported: Exported) -> AsyncIterator[Opened]:
    async with shop().open(ON, consume=False) as opened:
        yield opened


async def entries(opened: Opened) -> Sequence[Entry]:
    return (await opened.log.read(after=0, limit=100)).entries


def parent_of(entry: Entry) -> str:
    return str(entry.envelope.attributes["traceparent"])


def written(span: ReadableSpan) -> str:
    context = span.context
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


async def test_an_event_keeps_the_trace_it_came_with_and_its_append_is_a_span_in_it(
    opened: Opened, exported: Exported
) -> None:
    came = placed("a")
    attributes = {"traceparent": PARENT, "correlationid": "visit-7"}
    await opened.log.append([Envelope(id="a", source="web", type="placed", attributes=attributes, data=came.data)])
    span = exported.span("publish placed")
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, SPAN)
    assert span.kind is SpanKind.PRODUCER
    assert dict(span.attributes or {}) == {
        "messaging.system": "tidings",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": "placed",
        "messaging.message.id": "a",
        "messaging.message.conversation_id": "visit-7",
        "messaging.message.body.size": len(came.data or b""),
        "cloudevents.event_id": "a",
        "cloudevents.event_source": "web",
        "cloudevents.event_type": "placed",
    }
    assert parent_of((await entries(opened))[0]) == PARENT


async def test_spans_name_the_server_of_the_database_and_the_first_of_a_chain_is_its_own_conversation(
    exported: Exported,
) -> None:
    for url, server in (
        ("postgresql://app:secret@db.example:6432/shop", {"server.address": "db.example", "server.port": 6432}),
        ("postgresql://db.example/shop", {"server.address": "db.example"}),
        ("postgresql://a:1,b:2/shop", {}),
        ("sqlite:///shop.db", {}),
    ):
        with Traces({"placed"}, Ports().clock, url).publish([placed("a")]):
            pass
        said = exported.spans("publish placed")[-1].attributes or {}
        assert {name: value for name, value in said.items() if name.startswith("server.")} == server
        assert said["messaging.message.conversation_id"] == "a"


async def test_an_event_without_a_trace_is_said_in_that_of_its_caller(opened: Opened, exported: Exported) -> None:
    with trace.get_tracer("a user").start_as_current_span("checkout") as checkout:
        await opened.publish(Placed("a"), source="web", id="a", time=None)
    span = exported.span("publish placed")
    assert span.parent is not None
    assert span.parent.span_id == checkout.get_span_context().span_id
    assert parent_of((await entries(opened))[0]) == written(span)


async def test_a_batch_is_one_span_that_says_how_many(opened: Opened, exported: Exported) -> None:
    await opened.log.append([placed("a"), placed("b"), placed("a")])
    span = exported.span("publish placed")
    assert (span.attributes or {})["messaging.batch.message_count"] == 3
    assert "messaging.message.id" not in (span.attributes or {})
    assert {parent_of(entry) for entry in await entries(opened)} == {written(span)}


async def test_a_handler_runs_in_a_trace_of_its_own_that_is_linked_to_the_event(
    opened: Opened, exported: Exported
) -> None:
    await opened.log.append([placed("a", "emit")])
    await carry(opened, "shop")
    said = exported.span("publish placed")
    checked, *others = exported.spans("process placed")
    assert len(others) == 2
    assert checked.parent is None
    assert checked.kind is SpanKind.CONSUMER
    assert [link.context.span_id for link in checked.links] == [said.context and said.context.span_id]
    attributes = dict(checked.attributes or {})
    assert attributes["messaging.consumer.group.name"] == "shop"
    assert attributes["messaging.destination.partition.id"] == "0"
    assert (attributes["messaging.operation.name"], attributes["messaging.operation.type"]) == ("process", "process")
    settled = exported.span("settle shop")
    assert settled.kind is SpanKind.CLIENT
    assert (settled.attributes or {})["messaging.batch.message_count"] == 3


async def test_what_a_handler_emits_is_said_in_the_handlers_trace(opened: Opened, exported: Exported) -> None:
    await opened.log.append([placed("a", "emit")])
    await carry(opened, "shop")
    emitted = exported.span("publish sent")
    teller = exported.spans("process placed")[2]
    assert emitted.parent is not None
    assert teller.context is not None
    assert emitted.parent.span_id == teller.context.span_id
    _, sent = await entries(opened)
    assert parent_of(sent) == written(emitted)
    assert sent.envelope.causation_id == "a"


async def test_a_failure_is_on_the_span_by_its_class_and_nothing_of_its_words(
    opened: Opened, exported: Exported
) -> None:
    await opened.log.append([placed("secret-order", "fail")])
    await carry(opened, "shop")
    failed = exported.spans("process placed")[0]
    assert (failed.attributes or {})["error.type"] == "ValueError"
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.status.description is None
    assert failed.events == ()
    with pytest.raises(ConflictError):
        await opened.log.append([placed("secret-order", "well")])
    assert (exported.spans("publish placed")[1].attributes or {})["error.type"] == "ConflictError"


async def test_messages_and_durations_are_measured_under_the_names_of_the_conventions(
    opened: Opened, exported: Exported
) -> None:
    await opened.log.append([placed("a", "emit"), placed("b", "emit")])
    await carry(opened, "shop")
    assert exported.counts("messaging.client.sent.messages") == {("publish", ""): 4}
    assert exported.counts("messaging.client.consumed.messages") == {("process", ""): 6}
    assert exported.counts("messaging.process.duration") == {("process", ""): 6}
    assert exported.counts("messaging.client.operation.duration") == {("publish", ""): 1, ("settle", ""): 1}
    for name in ("messaging.process.duration", "messaging.client.operation.duration"):
        assert exported.bounds(name) == (
            0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
        )  # fmt: skip


async def test_types_that_are_not_declared_have_one_name_in_metrics(opened: Opened, exported: Exported) -> None:
    for n in range(20):
        await opened.log.append([Envelope(id=str(n), source="web", type=f"never-declared-{n}", data=b"{}")])
    points = [point for name, point in exported._every() if name == "messaging.client.sent.messages"]
    names = {point.attributes.get("messaging.destination.name") for point in points}
    assert names <= {"placed", "sent", "unknown", None}
    assert "unknown" in names


async def test_nothing_of_it_is_imported_unless_it_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("opentelemetry", "tidings.telemetry.otel"))]:
        monkeypatch.delitem(sys.modules, name)
    original = builtins.__import__

    def refuse(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(f"No module named {name!r}")
        return original(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    off = Settings(database_url="sqlite:///:memory:")
    async with shop().open(off, consume=False) as opened:
        await opened.log.append([placed("a")])
    with pytest.raises(SettingError, match=r"otel \(TIDINGS_OTEL\) is on, .*pip install 'tidings\[otel\]'"):
        async with shop().open(ON, consume=False):
            pass


class OpenTill(Till):
    """A till whose application is open."""

    opened: Opened


async def sent(till: OpenTill, *headers: tuple[bytes, bytes], secret: str = SECRET) -> int:
    """Send a delivery in this process, and return the status of its answer."""
    body = delivery("evt_1")
    given = [(name.encode(), value.encode()) for name, value in signed(body, secret=secret)]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/hooks/till",
        "raw_path": b"/hooks/till",
        "root_path": "",
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(b"host", b"localhost"), *given, *headers],
    }
    answered: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    await (await application(till.opened))(scope, receive, send)
    [status] = answered
    return status


@pytest.fixture
async def till(exported: Exported) -> AsyncIterator[OpenTill]:
    till = OpenTill()
    async with till.app.open(ON, consume=False) as till.opened:
        yield till


async def test_a_webhook_is_a_span_in_its_senders_trace_and_its_event_is_said_in_it(
    till: OpenTill, exported: Exported
) -> None:
    assert await sent(till, (b"traceparent", PARENT.encode())) == 202
    span = exported.span("receive till")
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, SPAN)
    assert span.kind is SpanKind.CONSUMER
    assert dict(span.attributes or {}) == {
        "messaging.system": "tidings",
        "messaging.operation.name": "receive",
        "messaging.operation.type": "receive",
        "messaging.destination.name": "till",
    }
    assert [parent_of(entry) for entry in await entries(till.opened)] == [written(span)]


async def test_a_webhook_that_is_refused_is_a_span_that_says_so(till: OpenTill, exported: Exported) -> None:
    assert await sent(till, secret="whsec_of_somebody_else_altogether") == 401
    span = exported.span("receive till")
    assert span.parent is None
    assert (span.attributes or {})["error.type"] == "Refusal"
    assert await entries(till.opened) == ()
