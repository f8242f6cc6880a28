"""While an application cannot run, callers are told so, as of any other problem."""

from __future__ import annotations

import asyncio
import json
import socket

from tidings.api.broken import answering
from tidings.api.problems import Problem


async def test_a_program_that_cannot_run_is_503_not_running_and_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with answering(listening, "shop.py, line 3: no"):
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(b"GET /views HTTP/1.1\r\nhost: localhost\r\n\r\n")
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in head
    assert json.loads(body) == {
        "type": "urn:tidings:problem:not-running",
        "title": Problem.NOT_RUNNING.title,
        "status": 503,
        "detail": "shop.py, line 3: no",
        "instance": "/views",
    }
