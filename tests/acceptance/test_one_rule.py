"""One rule on every face of the server: what is wrong with an address has one status, wherever it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.http_server import Caller, in_file, program, serving
from tidings.serving import console


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(program(), in_file(tmp_path), pages=console) as started:
        yield started


@pytest.mark.parametrize(
    ("api", "page", "status"),
    [
        ("/dead-letters?state=lost", "/dead?state=lost", 400),
        ("/deliveries?state=lost", "/deliveries?state=lost", 400),
        ("/events?after=x", "/log?before=x", 400),
        ("/dead-letters?stat=dead", "/dead?stat=dead", 400),
        ("/dead-letters?consumer=nobody", "/dead?consumer=nobody", 404),
        ("/consumers/nobody", "/consumers/nobody", 404),
    ],
)
async def test_an_address_that_asks_for_what_cannot_be_is_the_same_on_both_faces(
    caller: Caller, api: str, page: str, status: int
) -> None:
    assert (await caller.get(api)).status == status
    async with aiohttp.request("GET", f"{caller.url}/console{page}") as answer:
        assert answer.status == status
