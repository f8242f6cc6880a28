"""README's first program, served and used as shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.http_server import Caller, in_file, program, serving


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(program(), in_file(tmp_path)) as started:
        yield started


async def rows(caller: Caller, token: str) -> list[object]:
    reply = await caller.get("/views/bookmarks/bookmark?user_id=jack", tidings_min_position=token, prefer="wait=10")
    assert (reply.status, reply.headers.get("preference-applied")) == (200, "wait=10")
    found: list[object] = reply.json["rows"]
    return found


async def test_a_put_is_201_then_200_and_with_other_content_409(caller: Caller) -> None:
    first, second = await caller.bookmark("bm-1"), await caller.bookmark("bm-1")
    other = await caller.bookmark("bm-1", tweet="21")
    assert (first.status, second.status, other.problem) == (201, 200, (409, "event-conflict"))
    assert (first.json["outcome"], second.json["outcome"]) == ("appended", "duplicate")
    assert first.json["position"] == second.json["position"] == first.position == second.position
    assert (await caller.get(first.headers["location"])).json["id"] == "bm-1"
    assert await caller.count() == 1


async def test_the_view_has_the_row_after_the_event_and_not_after_its_end(caller: Caller) -> None:
    token = (await caller.bookmark("bm-1", time="2026-03-01T10:00:00Z")).position
    assert await rows(caller, token) == [{"user_id": "jack", "tweet_id": "20"}]
    undone = {"ce-type": "tweet-unbookmarked", "ce-time": "2026-03-02T10:00:00Z", "content-type": "application/json"}
    token = (await caller.put("/events/web/ub-1", undone, '{"tweet_id":"20","user_id":"jack"}')).position
    assert await rows(caller, token) == []


async def test_an_end_before_its_beginning_ends_as_their_own_times_say(caller: Caller) -> None:
    undone = {"ce-type": "tweet-unbookmarked", "ce-time": "2026-03-02T10:00:00Z", "content-type": "application/json"}
    await caller.put("/events/web/ub-1", undone, '{"tweet_id":"20","user_id":"jack"}')
    token = (await caller.bookmark("bm-1", time="2026-03-01T10:00:00Z")).position
    assert await rows(caller, token) == []
    token = (await caller.bookmark("bm-2", time="2026-03-03T10:00:00Z")).position
    assert await rows(caller, token) == [{"user_id": "jack", "tweet_id": "20"}]
