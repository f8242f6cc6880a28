"""Versions over HTTP: which there are, what is open, what the planner says, and what is refused at the door."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.http_server import JSON, Caller, Reply, in_file, serving
from tests.unit.app import bookmarking as at
from tidings.operations.gates import Gatekeeping
from tidings.operations.planner import KINDS

TYPE = "tweet-bookmarked"


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    """A server that emits version 3 beside a reader that knows version 1 alone."""
    settings = in_file(tmp_path)
    async with at.lists(at.first()).open(settings), serving(at.bookmarks(at.third()), settings) as started:
        yield started


async def put(caller: Caller, version: int) -> Reply:
    body = json.dumps({"tweet_id": "20", "owner": {"kind": "user", "id": "jo"}})
    headers = {"ce-type": TYPE, "ce-dataversion": str(version), **JSON}
    return await caller.put(f"/events/web/{version}", headers, body)


async def test_versions_are_listed_with_their_gates_and_who_has_them(caller: Caller) -> None:
    listed = (await caller.get("/versions")).json["versions"]
    found = {(each["type"], each["version"]): each for each in listed}
    assert found[TYPE, 1]["gate"] == "open"
    assert found[TYPE, 1]["accepted_by"] == ["lists"]
    assert (found[TYPE, 3]["gate"], found[TYPE, 3]["emitted_by"]) == ("closed", ["bookmarks"])
    of_type = (await caller.get(f"/versions/{TYPE}")).json["versions"]
    assert [each["version"] for each in of_type] == [1, 3]
    one = (await caller.get(f"/versions/{TYPE}/3")).json
    assert "owner" in one["schema"]["properties"]


async def test_what_is_not_there_is_said(caller: Caller) -> None:
    for target in ("/versions/nothing", f"/versions/{TYPE}/7", f"/versions/{TYPE}/x", "/versions/may/fly"):
        assert (await caller.get(target)).problem == (404, "not-found"), target


async def test_a_version_that_is_not_open_is_refused_with_those_that_are(caller: Caller) -> None:
    refused = await put(caller, 3)
    assert refused.problem == (409, "version-not-open")
    assert refused.json["accepted"] == [1]
    assert refused.pointers == ["/dataversion"]
    assert (await put(caller, 9)).problem == (422, "version-unknown")
    assert await caller.count() == 0


async def test_a_gate_that_is_shown_open_is_open_to_what_is_published_behind_it(tmp_path: Path) -> None:
    settings = replace(in_file(tmp_path), gates="manual")
    told, headers = json.dumps({"tweet_id": "20", "user_id": "jo"}), {"ce-type": TYPE, "ce-dataversion": "2", **JSON}
    async with at.lists(at.first()).open(settings) as other, serving(at.bookmarks(at.second()), settings) as caller:
        assert (await caller.put("/events/web/2", headers, told)).problem == (409, "version-not-open")
        await other.instance.beat()  # it learns that what it has reads the other version, too
        assert (await Gatekeeping(other.store, who="test").open(TYPE, 2)).answer == "ok"
        shown = (await caller.get(f"/versions/{TYPE}")).json["versions"]
        assert {each["version"]: each["gate"] for each in shown} == {1: "open", 2: "open"}
        assert (await caller.put("/events/web/2", headers, told)).status == 201


async def test_the_planner_answers_with_reasons_and_the_next_step(caller: Caller) -> None:
    asked = await caller.get(f"/versions/may/switch?producer=bookmarks&type={TYPE}&version=3")
    answer = asked.json
    assert answer["question"] == {
        "kind": "can_switch_producer",
        "producer": "bookmarks",
        "type": TYPE,
        "version": 3,
    }
    assert answer["answer"] == "no"
    [reason] = answer["reasons"]
    assert (reason["code"], reason["accepts"], reason["needs"]) == ("consumer-does-not-accept", [1], 3)
    assert answer["next_steps"] == [{"do": "finish-deploy", "service": "lists"}]
    assert {each["fact"] for each in answer["evidence"]} == {"gate", "lease"}
    assert answer["as_of"]["census"] == "exact"


async def test_a_question_that_lacks_something_is_refused_and_says_what(caller: Caller) -> None:
    asked = await caller.get(f"/versions/may/switch?producer=bookmarks&type={TYPE}")
    assert asked.problem == (400, "malformed-request")
    assert "version" in asked.json["detail"]
    assert (await caller.get("/versions/may/rollback?service=lists&revision=r9")).json["answer"] == "unknown"
    assert (await caller.get(f"/versions/may/switch?producer=b&type={TYPE}&version=x")).status == 400
    assert (await caller.get("/versions/may/replay?consumer=lists&after=zz")).problem == (400, "invalid-position")


async def test_a_step_leads_between_neighbours_that_there_are(caller: Caller) -> None:
    asked = f"/versions/may/retire-transformer?type={TYPE}"
    for of, to in ((1, 3), (1, 1)):
        refused = await caller.get(f"{asked}&from={of}&to={to}")
        assert refused.problem == (400, "malformed-request")
        assert "differ by one" in refused.json["detail"]
    assert (await caller.get(f"{asked}&from=5&to=6")).problem == (404, "not-found")
    assert (await caller.get(f"{asked}&from=3&to=4")).problem == (404, "not-found")
    assert (await caller.get(f"{asked}&from=1&to=0")).problem == (404, "not-found")


async def test_all_questions_are_asked_over_http(caller: Caller) -> None:
    asked = {
        "register": f"type={TYPE}&version=3",
        "switch": f"producer=bookmarks&type={TYPE}&version=3",
        "retire-support": f"consumer=lists&type={TYPE}&version=1",
        "retire-transformer": f"type={TYPE}&from=1&to=2",
        "rollback": "service=lists&revision=r9",
        "replay": f"consumer=lists&after={(await caller.get('/events')).json['next']}",
        "retire": f"type={TYPE}&version=1",
    }
    assert set(asked) == set(KINDS)
    for kind, query in asked.items():
        answer = (await caller.get(f"/versions/may/{kind}?{query}")).json
        assert answer["answer"] in ("ok", "no", "unknown"), kind
        assert answer["question"]["kind"].startswith("can_")
        assert all(each["text"] for each in answer["reasons"])
        assert answer["answer"] == "ok" or answer["next_steps"], kind


async def test_a_consumer_that_is_to_be_taken_as_it_ran_last_has_to_have_run(caller: Caller) -> None:
    query = f"producer=bookmarks&type={TYPE}&version=3"
    assert (await caller.get(f"/versions/may/switch?{query}&assume_last=lists")).json["answer"] == "no"
    assert (await caller.get(f"/versions/may/switch?{query}&assume_last=nobody")).problem == (404, "not-found")
