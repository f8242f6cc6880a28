"""What programs read of events over HTTP: JSON Schemas under their own URIs, and the AsyncAPI document."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema_rs
import pytest

from tests.acceptance.http_server import Caller, in_file, serving
from tests.asyncapi import faults, resolved
from tests.unit.app import bookmarking as at
from tidings import App, Service, event
from tidings.app import Opened
from tidings.operations.gates import Gatekeeping

TYPE = "tweet-bookmarked"
DATA = '{"tweet_id":"20","user_id":"jack"}'
PUBLIC = "https://events.example.org/api"


@event("tree-grown", version=1, subject="name")
class TreeGrown:
    name: str
    below: tuple[TreeGrown, ...] = ()
    at: tuple[int, str] = (0, "")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[tuple[Caller, Opened]]:
    """A server that emits version 3, beside a reader of version 1 and a service whose event is a tree."""
    settings = replace(in_file(tmp_path), public_url=PUBLIC)
    trees = App(Service("trees", emits=[TreeGrown]))
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(at.lists(at.first()).open(settings))
        await stack.enter_async_context(trees.open(settings, consume=False))
        yield await stack.enter_async_context(serving(at.bookmarks(at.third()), settings)), opened


@pytest.fixture
def caller(running: tuple[Caller, Opened]) -> Caller:
    return running[0]


async def document(caller: Caller) -> Any:
    return (await caller.get("/asyncapi.json")).json


async def test_a_schema_has_its_own_uri_and_judges_data(caller: Caller) -> None:
    answer = await caller.get(f"/schemas/{TYPE}/3")
    assert answer.headers["content-type"] == "application/schema+json"
    schema = answer.json
    assert schema["$id"] == f"{PUBLIC}/schemas/{TYPE}/3"
    judge = jsonschema_rs.Draft202012Validator(schema)
    assert judge.is_valid({"tweet_id": "20", "owner": {"kind": "user", "id": "jo"}})
    assert not judge.is_valid({"tweet_id": "20"})


async def test_a_schema_is_not_sent_again_to_whom_has_it(caller: Caller) -> None:
    tag = (await caller.get(f"/schemas/{TYPE}/3")).headers["etag"]
    again = await caller.get(f"/schemas/{TYPE}/3", if_none_match=tag)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"  # it is not published, and may be declared anew
    assert (await caller.get(f"/schemas/{TYPE}/1")).headers["etag"] != tag


async def test_a_schema_that_is_not_there_is_said(caller: Caller) -> None:
    for target in (f"/schemas/{TYPE}/7", f"/schemas/{TYPE}/x", f"/schemas/{TYPE}/01", "/schemas/nothing/1"):
        assert (await caller.get(target)).problem == (404, "not-found"), target
    assert (await caller.get(f"/schemas/{TYPE}/1", accept="text/html")).problem == (406, "not-acceptable")


async def test_the_asyncapi_document_is_one(caller: Caller) -> None:
    assert faults(await document(caller)) == []


async def test_the_asyncapi_document_has_a_message_for_each_version(caller: Caller) -> None:
    found = await document(caller)
    channel = found["channels"][TYPE]
    assert channel["address"] == TYPE
    messages = {name: resolved(found, each["$ref"]) for name, each in channel["messages"].items()}
    assert {name: each["x-tidings-version"] for name, each in messages.items()} == {"v1": 1, "v3": 3}
    assert messages["v3"]["payload"]["required"] == ["owner", "tweet_id"]
    headers = messages["v3"]["headers"]
    assert headers["properties"]["ce-type"]["const"] == TYPE
    assert "ce-dataversion" in headers["required"]
    assert found["servers"]["api"]["host"] == "events.example.org"
    assert found["servers"]["api"]["pathname"] == "/api"


async def test_the_asyncapi_document_says_what_running_services_do(caller: Caller) -> None:
    operations = (await document(caller))["operations"]
    said = {
        name: (each["action"], each["channel"]["$ref"], [one["$ref"].rpartition("/")[2] for one in each["messages"]])
        for name, each in operations.items()
    }
    assert said == {
        f"bookmarks.send.{TYPE}": ("send", f"#/channels/{TYPE}", ["v3"]),
        f"lists.receive.{TYPE}": ("receive", f"#/channels/{TYPE}", ["v1"]),
        "lists.send.list-extended": ("send", "#/channels/list-extended", ["v1"]),
        "trees.send.tree-grown": ("send", "#/channels/tree-grown", ["v1"]),
    }


async def test_what_refers_to_itself_is_a_part_of_its_own_in_draft_07(caller: Caller) -> None:
    found = await document(caller)
    payload = found["components"]["messages"]["tree-grown.v1"]["payload"]
    components = {"components": found["components"], **payload}
    judge = jsonschema_rs.Draft7Validator(components)
    assert judge.is_valid({"name": "oak", "below": [{"name": "twig", "below": []}], "at": [1, "x"]})
    assert not judge.is_valid({"name": "oak", "below": [{"below": []}]})
    assert not judge.is_valid({"name": "oak", "at": ["x", 1]})
    assert not judge.is_valid({"name": "oak", "at": [1, "x", "more"]})


async def test_a_version_that_ends_is_marked(running: tuple[Caller, Opened]) -> None:
    caller, opened = running
    before = await caller.get("/asyncapi.json")
    gates = Gatekeeping(opened.store, who="a test")
    await gates.deprecate(TYPE, 1, sunset=1_803_859_200_000_000, migration="https://example.org/v3")
    found = (await caller.get("/asyncapi.json", if_none_match=before.headers["etag"])).json
    assert faults(found) == []
    messages = found["components"]["messages"]
    assert messages[f"{TYPE}.v1"]["payload"]["deprecated"] is True
    assert messages[f"{TYPE}.v1"]["x-tidings-sunset"] == "2027-03-01T00:00:00Z"
    assert "deprecated" not in messages[f"{TYPE}.v3"]["payload"]


async def test_what_follows_a_version_that_ends_is_named_as_its_schema_names_itself(tmp_path: Path) -> None:
    settings = replace(in_file(tmp_path), public_url="https://x.example/api")
    async with at.bookmarks(at.first()).open(settings):
        """Makes version 1 known."""
    app = at.bookmarks(at.second())
    async with serving(app, settings) as caller:
        await app.opened.instance.beat()
        assert (await Gatekeeping(app.opened.store, who="a test").open(TYPE, 2)).answer == "ok"
        await Gatekeeping(app.opened.store, who="a test").deprecate(TYPE, 1, sunset=None, migration="")
        found = await caller.get(f"/schemas/{TYPE}/1")
        assert found.json["$id"] == f"https://x.example/api/schemas/{TYPE}/1"
        assert found.headers["link"] == f'<https://x.example/api/schemas/{TYPE}/2>; rel="successor-version"'


async def test_nobody_has_to_say_where_the_server_is(tmp_path: Path) -> None:
    async with serving(at.bookmarks(at.first()), in_file(tmp_path)) as caller:
        found = (await caller.get("/asyncapi.json")).json
        assert faults(found) == []
        assert f"http://{found['servers']['api']['host']}" == caller.url
        assert (await caller.get(f"/schemas/{TYPE}/1")).json["$id"] == f"/schemas/{TYPE}/1"


async def test_events_that_are_shown_name_their_schema(tmp_path: Path) -> None:
    own = {"ce-dataschema": "https://example.com/mine"}
    async with serving(at.bookmarks(at.first()), replace(in_file(tmp_path), public_url=PUBLIC)) as caller:
        for id, more in (("bare", {}), ("own", own)):
            headers = {"ce-type": TYPE, "content-type": "application/json", **more}
            said = [await caller.put(f"/events/web/{id}", headers, DATA) for _ in range(2)]
            assert [each.status for each in said] == [201, 200]  # what is shown is no part of what was said
        listed = {each["event"]["id"]: each["event"] for each in (await caller.get("/events")).json["entries"]}
        uri = listed["bare"]["dataschema"]
        assert uri == f"{PUBLIC}/schemas/{TYPE}/1"
        assert (await caller.get(uri.removeprefix(PUBLIC))).json["$id"] == uri
        assert listed["own"]["dataschema"] == own["ce-dataschema"]
        assert (await caller.get("/events/web/bare", accept="application/json")).headers["ce-dataschema"] == uri
        assert await streamed(caller, listed["bare"]["sequence"]) == uri


async def streamed(caller: Caller, sequence: str) -> str:
    """Return the `dataschema` that the stream's first event has."""
    start = (await caller.get("/events?limit=1")).json["head"].rpartition("-")[0]
    target = f"{caller.url}/events/stream?after={start}-{int(sequence) - 1}"
    async with aiohttp.ClientSession() as session, session.get(target) as answer:
        while not (line := await answer.content.readline()).startswith(b"data:"):
            assert line
    return str(json.loads(line.partition(b":")[2])["dataschema"])


async def test_where_nobody_says_where_the_api_is_no_event_names_a_schema(tmp_path: Path) -> None:
    async with serving(at.bookmarks(at.first()), in_file(tmp_path)) as caller:
        await caller.put("/events/web/1", {"ce-type": TYPE, "content-type": "application/json"}, DATA)
        assert "dataschema" not in (await caller.get("/events/web/1")).json
