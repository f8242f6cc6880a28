"""`/metrics` of a running server, as Prometheus reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.acceptance.http_server import BOOKMARKED, Caller, HastyClock, in_file, program, serving
from tests.acceptance.test_http_access import token_of
from tests.unit.telemetry.scrape import named, read
from tidings import Settings
from tidings.ports import Ports


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(program(), in_file(tmp_path)) as started:
        yield started


async def test_a_scrape_shows_what_came_in_and_what_became_of_it(caller: Caller) -> None:
    body = '{"tweet_id":"20","user_id":"jack"}'
    for _ in range(2):
        reply = await caller.put("/events/web/bm-1", BOOKMARKED, body)
    assert (await caller.put("/events/web/bm-1", BOOKMARKED, '{"tweet_id":"21","user_id":"jack"}')).status == 409
    assert (await caller.put("/events/web/bm-2", BOOKMARKED, '{"tweet_id":20}')).status == 422
    unknown = BOOKMARKED | {"ce-type": "never-declared"}
    assert (await caller.put("/events/web/bm-3", unknown, body)).status == 422
    headers = {"tidings_min_position": reply.position, "prefer": "wait=10"}
    assert (await caller.get("/views/bookmarks/bookmark/jack/20", **headers)).status == 200
    scraped = await caller.get("/metrics")
    text = scraped.body.decode()
    assert scraped.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = read(text)
    assert named(samples, "tidings_append_total") == {
        ("appended", "tweet-bookmarked"): 1,
        ("duplicate", "tweet-bookmarked"): 1,
        ("conflict", "tweet-bookmarked"): 1,
        ("refused", "tweet-bookmarked"): 1,
        ("refused", "unknown"): 1,
    }
    assert (samples["tidings_log_connected", ()], samples["tidings_store_connected", ()]) == (1, 1)
    assert samples["tidings_log_head", ()] == 1
    assert "jack" not in text
    assert "bm-1" not in text


async def test_a_misspelt_parameter_of_a_scrape_is_refused(caller: Caller) -> None:
    assert (await caller.get("/metrics?name=x")).status == 400


async def take_away(url: str) -> None:
    """Have the database at this URL take no connection any more, and end those that there are."""
    server, _, name = url.rpartition("/")
    connection = await asyncpg.connect(f"{server}/postgres")
    await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    await connection.close()


@pytest.mark.parametrize("with_key", [False, True])
async def test_a_scrape_says_that_the_database_is_away(postgres_url: str, *, with_key: bool) -> None:
    settings = Settings(database_url=postgres_url, port=0)
    token = await token_of(settings, "metrics:read") if with_key else None
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with serving(program(), settings, Ports(clock=HastyClock()), token=token) as caller:
        assert (await caller.get("/metrics", **headers)).status == 200
        await take_away(postgres_url)
        await asyncio.sleep(0.3)
        for _ in range(2):
            scraped = await caller.get("/metrics", **headers)
            assert scraped.status == 200
            samples = read(scraped.body.decode())
            assert (samples["tidings_log_connected", ()], samples["tidings_store_connected", ()]) == (0, 0)
            await asyncio.sleep(0.3)
        assert (await caller.get("/consumers", **headers)).problem == (503, "store-unavailable")
        refused = (401, "unauthenticated")
        assert (await caller.get("/metrics", forwarded="for=192.0.2.1")).problem == refused
        if with_key:
            assert (await caller.get("/metrics", authorization="Bearer td_x_y")).problem == refused
