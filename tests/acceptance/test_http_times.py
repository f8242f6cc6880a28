"""When an event occurred, as whoever sends it says: not in a future in which it would win over all that comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.http_server import BATCH, STRUCTURED, in_file, program, serving
from tidings.events.codec import encode_json

DATA = {"tweet_id": "20", "user_id": "jack"}


def ahead(**by: float) -> str:
    return (datetime.now(UTC) + timedelta(**by)).isoformat()


def document(time: str) -> dict[str, object]:
    return {"specversion": "1.0", "id": "1", "source": "web", "type": "tweet-bookmarked", "time": time, "data": DATA}


@pytest.mark.parametrize("hours", [25, 24 * 365 * 1_000])
async def test_an_event_of_a_far_future_is_refused_in_every_mode_and_nothing_is_kept(
    tmp_path: Path, hours: int
) -> None:
    time = ahead(hours=hours)
    async with serving(program(), in_file(tmp_path)) as caller:
        event = document(time)
        replies = (
            (await caller.bookmark("1", time=time), "/time"),
            (await caller.post(STRUCTURED, encode_json(event)), "/time"),
            (await caller.post(BATCH, encode_json([document(ahead(hours=-1)), event])), "/1/time"),
        )
        for reply, pointer in replies:
            assert (reply.problem, reply.pointers) == ((422, "invalid-envelope"), [pointer])
            assert "86,400 seconds ahead" in reply.json["detail"]
            assert "time_ahead_max" in reply.json["detail"]
        assert await caller.count() == 0


@pytest.mark.parametrize("hours", [23, -24 * 365 * 50])
async def test_a_clock_that_is_somewhat_wrong_and_any_past_are_taken(tmp_path: Path, hours: int) -> None:
    async with serving(program(), in_file(tmp_path)) as caller:
        assert (await caller.bookmark("1", time=ahead(hours=hours).replace("+", "%2B"))).status == 201


async def test_how_far_ahead_is_a_setting(tmp_path: Path) -> None:
    async with serving(program(), replace(in_file(tmp_path), time_ahead_max=60.0)) as caller:
        assert (await caller.bookmark("1", time=ahead(seconds=30))).status == 201
        reply = await caller.bookmark("2", time=ahead(seconds=300))
        assert (reply.problem, reply.pointers) == ((422, "invalid-envelope"), ["/time"])
        assert "60 seconds ahead" in reply.json["detail"]
