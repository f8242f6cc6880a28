"""One request's trace, followed through a server: into the log, to the handlers, and into what these emit."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = """
import json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
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

def line(span):
    context, parent = span.context, span.parent
    return json.dumps({
        "name": span.name,
        "trace": f"{context.trace_id:032x}",
        "span": f"{context.span_id:016x}",
        "parent": parent and f"{parent.span_id:016x}",
        "links": [f"{link.context.trace_id:032x}-{link.context.span_id:016x}" for link in span.links],
    }) + "\\n"

provider = TracerProvider()
out = open("spans.jsonl", "a", buffering=1)
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=out, formatter=line)))
trace.set_tracer_provider(provider)
app = App(till, shipping)
"""
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[str]:
    """Run the program with the command, and hand over its address."""
    (folder / "traces.py").write_text(PROGRAM, "utf-8")
    command = [sys.executable, "-m", "tidings", "run", "traces:app", "--port", "0", "--json"]
    on = {**os.environ, "TIDINGS_OTEL": "on"}
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


def spans(folder: Path) -> dict[str, Any]:
    """Return the spans by name; settling is done many times, the others once."""
    lines = [json.loads(line) for line in (folder / "spans.jsonl").read_text("utf-8").splitlines()]
    found = [line for line in lines if not line["name"].startswith("settle ")]
    assert len({line["name"] for line in found}) == len(found)
    assert {line["name"] for line in lines} - {line["name"] for line in found} == {"settle till", "settle shipping"}
    return {line["name"]: line for line in found}


async def test_a_trace_goes_from_the_request_to_what_is_emitted_because_of_it(tmp_path: Path) -> None:
    async with running(tmp_path) as url, aiohttp.ClientSession(url) as session:
        headers = {"ce-type": "ordered", "traceparent": f"00-{TRACE}-{SPAN}-01"}
        async with session.put("/events/web/o-1", headers=headers, json={"order": "o-1"}) as answer:
            assert answer.status == 201
        # The position of the payment is not known here, so wait for what it leads to.
        async with asyncio.timeout(20):
            while (await (await session.get("/views/shipping/parcel")).json())["rows"] == []:
                continue
        async with session.get("/events") as answer:
            ordered, paid = (await answer.json())["entries"]
    found = spans(tmp_path)
    publish, process = found["publish ordered"], found["process ordered"]
    assert (publish["trace"], publish["parent"]) == (TRACE, SPAN)
    assert ordered["event"]["traceparent"] == f"00-{TRACE}-{SPAN}-01"
    assert (process["parent"], process["links"]) == (None, [f"{TRACE}-{SPAN}"])
    emit, last = found["publish paid"], found["process paid"]
    assert (emit["trace"], emit["parent"]) == (process["trace"], process["span"])
    assert paid["event"]["traceparent"].startswith(f"00-{emit['trace']}-{emit['span']}-")
    assert last["links"] == [f"{emit['trace']}-{emit['span']}"]
