"""A burst of failures in a server's log: the first with its stack, and how many more there were, by itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.http_server import Caller, in_file, program, raw, serving
from tidings.api.answer import Receive, Scope, Send
from tidings.app.opened import Opened


class Broken:
    """Pages that fail, as nobody foresaw."""

    path = "/broken"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError(scope["path"])


def broken(opened: Opened) -> Broken:
    return Broken()


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(program(), in_file(tmp_path), pages=broken) as started:
        yield started


async def test_the_last_failures_of_a_burst_are_told_though_none_follows(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(20):
        text = b"GET /broken/%d HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n" % n
        assert (await raw(caller, text)).startswith(b"HTTP/1.1 500 ")
    assert caplog.messages[0] == "a request to '/broken/0' failed"
    async with asyncio.timeout(20):
        while sum(map(more, caplog.messages)) < 19:
            await asyncio.sleep(0.05)


def more(text: str) -> int:
    found = re.fullmatch(r"([0-9]+) more failed at the same place: KeyError \(.*\)", text)
    return int(found[1]) if found else 0
