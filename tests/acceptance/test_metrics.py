"""`/metrics` of a running server, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.http_server import BOOKMARKED, Caller, in_file, program, serving
from tests.unit.telemetry.scrape import named, read


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
