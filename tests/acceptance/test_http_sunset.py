"""A version ends, as who publishes it and who reads it is told over HTTP: before, on, and after its date."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import BATCH, JSON, Caller, Reply, in_file, serving
from tests.unit.app import bookmarking as at
from tidings import App, Context, Service, Settings
from tidings.operations.gates import Gatekeeping
from tidings.versions.sunset import DAY_US

TYPE = "tweet-bookmarked"
PAGE = "https://example.org/v2"


class Place:
    """A server that knows versions 1 and 2, and the application beside it in which operators act."""

    def __init__(self, caller: Caller, app: App, beside: Any) -> None:
        self.caller, self.app, self.store = caller, app, beside.store

    async def deprecate(self, *, days: int) -> None:
        """Have version 1 end in so many days, of which those that are over need not be waited for."""
        now = (await self.store.tallies(after=2**62)).now
        gates = Gatekeeping(self.store, who="test")
        await gates.deprecate(TYPE, 1, sunset=now + max(days, 1) * DAY_US, migration=PAGE)
        if days < 0:
            row = (await self.store.event_versions(TYPE))[0]
            await self.store.write_version(replace(row, deprecated=now + 2 * days * DAY_US, sunset=now + days * DAY_US))
        for _ in range(2):
            await self.app.opened.instance.beat()

    async def put(self, id: str, version: int = 1) -> Reply:
        body = json.dumps({"tweet_id": "20", "user_id": "jo"})
        headers = {"ce-type": TYPE, "ce-dataversion": str(version), **JSON}
        return await self.caller.put(f"/events/web/{id}", headers, body)


def both() -> App:
    """A service that emits version 2, and still has a handler of version 1."""
    service = Service("bookmarks", emits=[at.second()])

    @service.on(at.first())
    async def seen(event: Any, ctx: Context) -> None:
        return None

    return App(service)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    settings = in_file(tmp_path)
    app = both()
    async with at.lists(at.first()).open(settings) as beside, serving(app, settings) as caller:
        for _ in range(2):
            await beside.instance.beat()
            await app.opened.instance.beat()
        yield Place(caller, app, beside)


async def test_who_publishes_a_version_that_ends_is_told_in_headers(place: Place) -> None:
    before = await place.put("a")
    assert before.status == 201
    assert not {"deprecation", "sunset", "link"} & before.headers.keys()
    await place.deprecate(days=40)
    told = await place.put("b")
    assert told.status == 201
    since, until = int(told.headers["deprecation"][1:]), parsedate_to_datetime(told.headers["sunset"])
    assert told.headers["deprecation"].startswith("@")
    assert told.headers["sunset"].endswith(" GMT")
    assert 39.9 * 86_400 < until.timestamp() - since <= 40 * 86_400
    assert told.headers["link"] == (
        f'<{PAGE}>; rel="deprecation", <{PAGE}>; rel="sunset", </schemas/{TYPE}/2>; rel="successor-version"'
    )
    again = await place.put("b")
    assert (again.status, again.headers["sunset"]) == (200, told.headers["sunset"])
    assert "sunset" not in (await place.put("c", 2)).headers
    for path in ("versions", "schemas"):
        shown = await place.caller.get(f"/{path}/{TYPE}/1")
        assert shown.headers["deprecation"] == told.headers["deprecation"]
        assert "deprecation" not in (await place.caller.get(f"/{path}/{TYPE}/2")).headers
    assert (await place.caller.get(f"/versions/{TYPE}/1")).json["migration"] == PAGE


async def test_a_batch_is_told_of_the_version_in_it_that_ends(place: Place) -> None:
    await place.deprecate(days=40)
    data = {"tweet_id": "20", "user_id": "jo"}
    events = [
        {"specversion": "1.0", "id": id, "source": "web", "type": TYPE, "dataversion": version, "data": data}
        for id, version in (("a", 2), ("b", 1))
    ]
    answer = await place.caller.post(BATCH, json.dumps(events))
    assert answer.status == 201
    assert "deprecation" in answer.headers


async def test_who_reads_an_event_of_it_sees_that_it_ends_and_what_is_kept_stays_as_it_was(place: Place) -> None:
    await place.put("a")
    await place.deprecate(days=40)
    await place.put("b", 2)
    page = (await place.caller.get("/events?limit=10")).json["entries"]
    shown = {each["event"]["id"]: each["event"] for each in page if each["event"]["type"] == TYPE}
    assert (shown["a"]["deprecated"], shown["a"]["deprecationmigration"]) == (True, PAGE)
    assert shown["a"]["deprecationfrom"] < shown["a"]["deprecationsunset"]
    assert "deprecated" not in shown["b"]
    assert (await place.caller.get("/events/web/a")).json["deprecated"] is True
    kept = await place.app.opened.log.find("web", "a")
    assert kept is not None
    assert "deprecated" not in kept.envelope.attributes
    own = json.dumps({"tweet_id": "20", "user_id": "jo"})
    said = {"ce-type": TYPE, "ce-deprecated": "true", "ce-deprecationmigration": "https://theirs.example", **JSON}
    await place.caller.put("/events/web/own", {**said, "ce-dataversion": "1"}, own)
    theirs = (await place.caller.get("/events/web/own")).json
    assert theirs["deprecationmigration"] == "https://theirs.example"
    assert "deprecationsunset" not in theirs


async def test_the_live_stream_says_so_too(place: Place) -> None:
    await place.deprecate(days=40)
    await place.put("a")

    async def first() -> dict[str, Any]:
        async with place.caller._session.get(f"{place.caller.url}/events/stream?after={start}") as answer:
            async for line in answer.content:
                if line.startswith(b"data: ") and TYPE.encode() in line:
                    found: dict[str, Any] = json.loads(line[6:])
                    return found
        raise AssertionError

    start = (await place.caller.get("/events?limit=1")).json["entries"][0]["position"]
    await place.put("z")
    async with asyncio.timeout(60):
        assert (await first())["deprecated"] is True


async def test_after_its_date_it_is_refused_with_where_to_read_on(place: Place) -> None:
    await place.put("a")
    await place.deprecate(days=-3)
    refused = await place.put("b")
    assert refused.problem == (410, "version-sunset")
    assert refused.json["detail"] == f"{TYPE} version 1 has ended; publish 2 instead: see {PAGE}"
    assert (refused.json["accepted"], refused.json["migration"]) == ([2], PAGE)
    assert refused.pointers == ["/dataversion"]
    assert refused.headers["sunset"].endswith(" GMT")
    assert 'rel="successor-version"' in refused.headers["link"]
    assert (await place.put("c", 2)).status == 201


async def test_who_publishes_what_is_not_open_is_warned_where_that_is_the_policy(tmp_path: Path) -> None:
    settings: Settings = replace(in_file(tmp_path), version_policy_outside="warn")
    async with at.lists(at.first()).open(settings), serving(at.bookmarks(at.third()), settings) as caller:
        body = json.dumps({"tweet_id": "20", "owner": {"kind": "user", "id": "jo"}})
        answer = await caller.put("/events/web/a", {"ce-type": TYPE, "ce-dataversion": "3", **JSON}, body)
        assert answer.status == 201
        assert answer.headers["tidings-version-warning"] == f"{TYPE} 3 is not open, and was kept all the same; open: 1"


async def test_what_is_told_again_in_the_version_that_follows_is_a_repeat_if_it_says_the_same(place: Place) -> None:
    old = await place.put("a")
    await place.deprecate(days=-3)
    said = {"tweet_id": "20", "user_id": "jo"}

    async def tell(**data: object) -> Reply:
        headers = {"ce-type": TYPE, "ce-dataversion": "2", **JSON}
        return await place.caller.put("/events/web/a", headers, json.dumps({**said, **data}))

    same = await tell(folder="all")
    assert (same.status, same.json["outcome"], same.json["position"]) == (200, "duplicate", old.json["position"])
    assert (await tell(folder="mine")).problem == (409, "event-conflict")
    event = {"specversion": "1.0", "source": "web", "type": TYPE, "dataversion": 2, "data": {**said, "folder": "all"}}
    batch = json.dumps([{**event, "id": "b"}, {**event, "id": "a"}])
    for headers in (BATCH, {**BATCH, "idempotency-key": '"k"'}):
        told = await place.caller.post(headers, batch)
        assert told.json["results"][1]["position"] == old.json["position"]
    assert (await place.caller.get("/events/web/a")).json["dataversion"] == 1


async def test_what_follows_a_version_that_ends_is_named_by_the_public_url(tmp_path: Path) -> None:
    settings = replace(in_file(tmp_path), public_url="https://x.example/api")
    app = both()
    async with at.lists(at.first()).open(settings) as beside, serving(app, settings) as caller:
        for _ in range(2):
            await beside.instance.beat()
            await app.opened.instance.beat()
        place = Place(caller, app, beside)
        await place.deprecate(days=1)
        link = f'<https://x.example/api/schemas/{TYPE}/2>; rel="successor-version"'
        assert link in (await place.put("a")).headers["link"]
        assert link in (await caller.get(f"/versions/{TYPE}/1")).headers["link"]
        event = {"specversion": "1.0", "id": "b", "source": "web", "type": TYPE, "dataversion": 1}
        batch = json.dumps([{**event, "data": {"tweet_id": "20", "user_id": "jo"}}])
        assert link in (await caller.post(BATCH, batch)).headers["link"]
        await place.deprecate(days=-3)
        refused = await place.put("c")
        assert refused.status == 410
        assert link in refused.headers["link"]
