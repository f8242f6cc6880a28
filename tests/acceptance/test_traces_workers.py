"""A trace over a collector's own protocol, from a server of two workers: whichever takes the request or the handler."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PROGRAM = """
import os
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tidings import App, Context, Service, event

@event("ordered", subject="order")
class Ordered:
    order: str

@event("paid", subject="order")
class Paid:
    order: str

till, shipping = Service("till", emits=[Paid]), Service("shipping")

@till.on(Ordered)
async def charge(event: Ordered, ctx: Context) -> None:
    await ctx.emit(Paid(event.order))

@shipping.view(key=("order",))
class Parcel:
    order: str

@shipping.on(Paid)
async def pack(event: Paid, ctx: Context) -> None:
    await ctx.put(Parcel(event.order))

provider = TracerProvider(resource=Resource({"service.name": "shop", "process.pid": os.getpid()}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=200))
trace.set_tracer_provider(provider)
app = App(till, shipping)
"""
ROUND = 40


@asynccontextmanager
async def collecting() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Take what is exported by OTLP over HTTP; hand over the endpoint, and the spans as they come."""
    spans: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        spans.extend(spans_of(ExportTraceServiceRequest.FromString(await request.read())))
        return web.Response(content_type="application/x-protobuf")

    application = web.Application()
    application.router.add_post("/v1/traces", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", spans
    finally:
        await runner.cleanup()


def spans_of(request: ExportTraceServiceRequest) -> Iterator[dict[str, Any]]:
    for resource in request.resource_spans:
        [pid] = (each.value.int_value for each in resource.resource.attributes if each.key == "process.pid")
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "pid": pid,
                    "name": span.name,
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "links": [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                    "id": next((a.value.string_value for a in span.attributes if a.key == "messaging.message.id"), ""),
                }


@asynccontextmanager
async def running(folder: Path, endpoint: str) -> AsyncIterator[str]:
    (folder / "traced.py").write_text(PROGRAM, "utf-8")
    command = [sys.executable, "-m", "tidings", "run", "traced:app", "--port", "0", "--json", "--workers", "2"]
    on = {**os.environ, "TIDINGS_OTEL": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=on, stdout=PIPE)
    assert process.stdout is not None
    try:
        yield json.loads(await process.stdout.readline())["url"]
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def trace_of(n: int) -> tuple[str, str]:
    return f"{n + 1:032x}", f"{n + 1:016x}"


async def place(url: str, n: int) -> None:
    """Send one order on a connection of its own, so that either worker may take it."""
    trace, span = trace_of(n)
    headers = {"ce-type": "ordered", "traceparent": f"00-{trace}-{span}-01"}
    async with (
        aiohttp.ClientSession(url) as session,
        session.put(f"/events/web/{n}", headers=headers, json={"order": f"o-{n}"}) as answer,
    ):
        assert answer.status == 201


async def test_every_trace_goes_from_its_request_to_what_is_emitted_whichever_worker_has_a_part_in_it(
    tmp_path: Path,
) -> None:
    async with (
        collecting() as (endpoint, spans),
        running(tmp_path, endpoint) as url,
        aiohttp.ClientSession(url) as session,
    ):
        orders = 0
        async with asyncio.timeout(30):
            while len({span["pid"] for span in spans if span["name"] == "publish ordered"}) < 2:
                await asyncio.gather(*(place(url, n) for n in range(orders, orders + ROUND)))
                orders += ROUND
                await asyncio.sleep(0.3)
            while len((await (await session.get("/views/shipping/parcel?limit=1000")).json())["rows"]) < orders:
                await asyncio.sleep(0.05)
        async with session.get("/events?limit=1000&type=ordered") as answer:
            ordered = [entry["event"] for entry in (await answer.json())["entries"]]
    # The workers have ended, and their exporters have sent all that they had.
    assert len(ordered) == orders
    for event in ordered:
        trace, parent = trace_of(int(event["id"]))
        [publish] = (span for span in spans if span["trace"] == trace)
        assert (publish["name"], publish["parent"]) == ("publish ordered", parent)
        [handled] = (span for span in spans if (trace, parent) in span["links"])
        [emitted] = (span for span in spans if span["parent"] == handled["span"] and span["trace"] == handled["trace"])
        [last] = (span for span in spans if (emitted["trace"], emitted["span"]) in span["links"])
        assert [each["name"] for each in (handled, emitted, last)] == [
            "process ordered",
            "publish paid",
            "process paid",
        ]
