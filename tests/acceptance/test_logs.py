"""What a server writes to its log: a line of JSON for each outcome, that nobody's data can break or be read in."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = """
from tidings import App, Context, NotRetryable, Service, event

@event("ordered", subject="order")
class Ordered:
    order: str
    card: str

shop = Service("shop")

@shop.on(Ordered)
async def charge(event: Ordered, ctx: Context) -> None:
    raise NotRetryable(f"the card {event.card} is refused")

app = App(shop)
"""
CARD = "4242-secret"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SUBJECT = "東京 \u2028\u202e'\"\\"


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[str, asyncio.StreamReader]]:
    """Run the program with the command, and hand over its address and what it writes to its log."""
    (folder / "logs.py").write_text(PROGRAM, "utf-8")
    command = [sys.executable, "-m", "tidings", "run", "logs:app", "--port", "0", "--json"]
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield json.loads(await process.stdout.readline())["url"], process.stderr
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def send(url: str, order: str) -> int:
    headers = {"ce-type": "ordered", "ce-traceparent": TRACE, "ce-correlationid": "visit-7"}
    body = {"order": order, "card": CARD}
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{url}/events/web/o-1", headers=headers, json=body) as answer,
    ):
        return answer.status


async def outcome_in(log: asyncio.StreamReader) -> tuple[str, Any]:
    while True:
        text = (await asyncio.wait_for(log.readline(), 20)).decode("ascii")
        if "outcome" in (line := json.loads(text)):
            return text, line


async def test_a_line_says_what_became_of_an_event_and_nothing_of_what_it_holds(tmp_path: Path) -> None:
    async with running(tmp_path) as (url, log):
        assert await send(url, SUBJECT) == 201
        text, line = await outcome_in(log)
        assert line.pop("ts").endswith("Z")
        assert line.pop("duration_ms") >= 0
        assert line == {
            "level": "error",
            "msg": "shop: not-retryable (NotRetryable); the subject waits until it is redriven or dropped, "
            "and `tidings dead show` says more",
            "service": "shop",
            "handler": "charge",
            "event_type": "ordered",
            "event_id": "o-1",
            "subject": SUBJECT,
            "attempt": 1,
            "partition": 0,
            "position": 1,
            "trace_id": TRACE.split("-")[1],
            "span_id": TRACE.split("-")[2],
            "correlation_id": "visit-7",
            "outcome": "parked",
        }
        assert text.removesuffix("\n").isprintable()
        assert CARD not in text
