"""Following the log over HTTP, as browsers do it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.http_server import BOOKMARKED, JSON, STRUCTURED, Caller, in_file, program, serving
from tidings import App
from tidings.operations import keys
from tidings.operations.keys import SCOPES, Asked
from tidings.ports import Ports

DATA = '{"tweet_id":"20","user_id":"jack"}'


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(program(), in_file(tmp_path)) as started:
        yield started


class Events:
    """The events of a stream, one after the other, each with its fields."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        while True:
            line = (await self.answer.content.readline()).decode()
            assert line, "the stream ended"
            if line == "\n":
                if fields:
                    return fields
                continue
            name, _, value = line.rstrip("\n").partition(": ")
            assert name not in fields
            fields[name] = value

    async def event(self) -> Any:
        fields = await self.next()
        return json.loads(fields["data"])


@asynccontextmanager
async def following(caller: Caller, query: str = "", **headers: str) -> AsyncIterator[Events]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{caller.url}/events/stream{query}", headers=named) as answer,
    ):
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        yield Events(answer)


async def test_each_entry_comes_with_its_token_its_type_and_itself(caller: Caller) -> None:
    async with following(caller, accept="text/event-stream") as events:
        assert (await events.next())["retry"] == "3000"
        reply = await caller.bookmark("1")
        fields = await events.next()
        assert (fields["id"], fields["event"]) == (reply.position, "tweet-bookmarked")
        event = json.loads(fields["data"])
        assert (event["id"], event["source"], event["data"]) == ("1", "web", {"tweet_id": "20", "user_id": "jack"})


async def test_it_goes_on_after_the_last_event_that_the_caller_names(caller: Caller) -> None:
    tokens = [(await caller.bookmark(str(n))).position for n in range(4)]
    async with following(caller, f"?after={tokens[0]}") as events:
        assert (await events.next())["id"] == tokens[0]
        assert [(await events.event())["id"] for _ in range(3)] == ["1", "2", "3"]
    async with following(caller, f"?after={tokens[0]}", last_event_id=tokens[2]) as events:
        assert (await events.next())["id"] == tokens[2]
        assert (await events.event())["id"] == "3"


async def test_the_first_token_lets_a_caller_miss_nothing(caller: Caller) -> None:
    await caller.bookmark("before")
    async with following(caller) as events:
        start = (await events.next())["id"]
    await caller.bookmark("between")
    async with following(caller, last_event_id=start) as events:
        await events.next()
        assert (await events.event())["id"] == "between"


async def test_data_of_many_lines_is_one_line(caller: Caller) -> None:
    async with following(caller) as events:
        await events.next()
        body = '{"tweet_id":\n"20",\r\n "user_id": "a\\nb", "n": 1.10}'
        await caller.put("/events/web/1", {"ce-type": "tweet-bookmarked", **JSON}, body)
        fields = await events.next()
        assert json.loads(fields["data"])["data"] == {"tweet_id": "20", "user_id": "a\nb", "n": 1.1}
        assert '"n":1.10' in fields["data"]


def chained(id: str, **more: Any) -> str:
    data = {"tweet_id": id, "user_id": "jack"}
    event = {"specversion": "1.0", "id": id, "source": "web", "type": "tweet-bookmarked", "data": data}
    return json.dumps(event | more)


FILTERED = [
    ("?subject=a", ["a"]),
    ("?correlation=a", ["a", "b"]),
    ("?source=other", ["c"]),
    ("?version=1&source=web", ["a", "b"]),
    ("?version=2", []),
    ("?type=tweet-bookmarked&type=never", ["a", "b", "c"]),
    ("?recorded_from=2020-01-01T00:00:00Z", ["a", "b", "c"]),
    ("?recorded_to=2020-01-01T00:00:00%2B01:00", []),
    ("?recorded_from=2199-01-01T00:00:00Z", []),
    ("?pattern=%7B%22data%22:%7B%22tweet_id%22:[%7B%22anything-but%22:%22b%22%7D]%7D%7D", ["a", "c"]),
    ("?pattern=%7B%22correlationid%22:[%7B%22exists%22:false%7D]%7D&source=web", ["a"]),
]


@pytest.mark.parametrize(("query", "ids"), FILTERED)
async def test_a_page_and_the_stream_take_the_same_filters(caller: Caller, query: str, ids: list[str]) -> None:
    start = (await caller.get("/events")).json["next"]
    for body in (chained("a"), chained("b", correlationid="a"), chained("c", source="other")):
        assert (await caller.post(STRUCTURED, body)).status == 201
    page = (await caller.get(f"/events{query}")).json
    assert [entry["event"]["id"] for entry in page["entries"]] == ids
    assert page["next"] == page["head"]
    async with following(caller, f"{query}&after={start}") as events:
        await events.next()
        assert [(await events.event())["id"] for _ in ids] == ids


async def test_a_filter_that_cannot_be_read_is_refused(caller: Caller) -> None:
    for query in ("?version=0", "?version=x", "?version=9999999999", "?recorded_from=yesterday", "?correlation=%FF"):
        for route in ("/events", "/events/stream"):
            assert (await caller.get(route + query)).problem == (400, "malformed-request")
    for route in ("/events", "/events/stream"):
        refused = await caller.get(f"{route}?pattern=%7B%22data%22:%7B%22folder%22:%22all%22%7D%7D")
        assert refused.problem == (422, "invalid-pattern")
        assert [each["pointer"] for each in refused.json["errors"]] == ["/data/folder"]
        assert refused.json["code"] == "leaf-not-array"
    assert (await caller.get("/events/stream", accept="text/html")).problem == (406, "not-acceptable")


async def test_a_stream_sends_nothing_more_once_its_key_is_revoked(tmp_path: Path) -> None:
    settings = in_file(tmp_path)
    async with App().open(settings, consume=False) as opened:
        all_of_it = await keys.add(opened.store, opened.ports, Asked(owner="us", scopes=SCOPES), who="cli")
        gone = await keys.add(opened.store, opened.ports, Asked(owner="them", scopes=["events:read"]), who="cli")
    app, theirs = program(), {"authorization": f"Bearer {gone.token}"}
    ours = {**BOOKMARKED, "authorization": f"Bearer {all_of_it.token}"}
    async with serving(app, settings, token=all_of_it.token) as caller, following(caller, **theirs) as events:
        await events.next()
        await caller.ask("PUT", "/events/web/before", ours, DATA)
        assert (await events.event())["id"] == "before"
        await keys.revoke(app.opened.store, Ports(), gone.key.id, who="cli")
        while (await caller.ask("GET", "/events", theirs)).status != 401:
            pass
        await caller.ask("PUT", "/events/web/after", ours, DATA)
        assert await events.answer.content.readline() == b"", "it was sent more"


async def test_a_server_that_stops_ends_its_streams_in_order(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with serving(program(), in_file(tmp_path)) as caller:
            answer = await session.get(caller.url + "/events/stream")
            await answer.content.readline()
        assert (await answer.content.read()).endswith(b"\n\n")
