"""Requests under an Idempotency-Key: rules I1 to I9, as a stranger meets them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import BATCH, BOOKMARKED, STRUCTURED, Caller, Reply, in_file, program, serving
from tests.acceptance.test_http_access import Keyed, token_of
from tests.unit.api.scopes import scope
from tidings.api.repeats import fingerprint

DATA = {"tweet_id": "20", "user_id": "jack"}


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(program(), in_file(tmp_path)) as started:
        yield started


def document(**members: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "source": "web", "type": "tweet-bookmarked", "data": DATA} | members


def about(tweet: str, **members: Any) -> dict[str, Any]:
    return document(data={"tweet_id": tweet, "user_id": "jack"}, **members)


async def post(caller: Caller, key: str, *events: dict[str, Any], **headers: str) -> Reply:
    mode, body = (BATCH, json.dumps(list(events))) if len(events) != 1 else (STRUCTURED, json.dumps(events[0]))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await caller.post({**mode, "idempotency-key": key, **named}, body)


def same(first: Reply, again: Reply) -> bool:
    return (first.status, first.body) == (again.status, again.body) and again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("key", ["8e03", '"8e03"', "a" * 255, '"a\\"b\\\\c"', "{}:/?#[]@!$&'()*+,;="])
async def test_i1_a_key_is_a_quoted_string_or_bare(caller: Caller, key: str) -> None:
    assert (await post(caller, key, document())).status == 201


@pytest.mark.parametrize(
    "key", ["", '""', "a b", '"a b"', "a" * 256, '"' + "a" * 256 + '"', '"a', 'a"b', '"a";x=1', "é"]
)
async def test_i1_anything_else_is_malformed(caller: Caller, key: str) -> None:
    assert (await post(caller, key, document())).problem == (400, "idempotency-key-malformed")
    assert await caller.count() == 0


async def test_i1_quoted_and_bare_mean_the_same_and_twice_is_malformed(caller: Caller) -> None:
    assert same(await post(caller, '"k"', document()), await post(caller, "k", document()))
    twice = [*STRUCTURED.items(), ("idempotency-key", "k"), ("idempotency-key", "k")]
    assert (await caller.post(twice, json.dumps(document()))).problem == (400, "idempotency-key-malformed")


async def test_i2_a_key_is_its_owners_whatever_credential_they_send(tmp_path: Path) -> None:
    settings = in_file(tmp_path)
    tokens = [await token_of(settings, owner=owner) for owner in ("us", "us", "them")]
    async with serving(program(), settings, token=tokens[0]) as caller:
        headers = {**STRUCTURED, "idempotency-key": "k"}
        first, again, other = [
            await Keyed(caller, token).ask("POST", "/events", headers, json.dumps(document())) for token in tokens
        ]
        assert same(first, again)
        assert "idempotency-replayed" not in other.headers
        assert other.json["results"][0]["id"] != first.json["results"][0]["id"]


async def test_i3_the_same_key_with_another_request_is_refused(caller: Caller) -> None:
    await post(caller, "k", document())
    reply = await post(caller, "k", about("another"))
    assert reply.problem == (422, "idempotency-key-reused")
    assert await caller.count() == 1


def test_i3_the_fingerprint_is_of_method_path_query_type_and_body() -> None:
    base = fingerprint(scope("POST", "/events?a=1&b=2", {"content-type": "application/json; charset=utf-8"}), b"{}")
    equal = scope("POST", "/events?b=2&a=1", {"content-type": "Application/JSON", "x-request-id": "7"})
    assert fingerprint(equal, b"{}") == base
    for method, target, content_type, body in [
        ("PUT", "/events?a=1&b=2", "application/json", b"{}"),
        ("POST", "/event?a=1&b=2", "application/json", b"{}"),
        ("POST", "/events?a=1", "application/json", b"{}"),
        ("POST", "/events?a=1&b=2", "application/cloudevents+json", b"{}"),
        ("POST", "/events?a=1&b=2", "application/json", b"{ }"),
    ]:
        assert fingerprint(scope(method, target, {"content-type": content_type}), body) != base


async def test_i4_of_many_at_once_one_is_done_and_all_are_answered_alike(caller: Caller) -> None:
    replies = await asyncio.gather(*(post(caller, "k", document(), about("b")) for _ in range(12)))
    assert {(reply.status, reply.body) for reply in replies} == {(201, replies[0].body)}
    assert sum("idempotency-replayed" not in reply.headers for reply in replies) == 1
    assert await caller.count() == 2


async def test_i6_a_domain_refusal_is_answered_again_and_keeps_nothing(caller: Caller) -> None:
    await post(caller, "first", document(id="1"))
    changed = about("changed", id="1")
    refused = await post(caller, "k", document(id="2"), changed)
    assert refused.problem == (409, "event-conflict")
    assert same(refused, await post(caller, "k", document(id="2"), changed))
    assert await caller.count() == 1


async def test_i6_what_was_refused_before_it_began_may_be_mended_under_its_key(caller: Caller) -> None:
    broken = await caller.post({**STRUCTURED, "idempotency-key": "k"}, "{")
    assert broken.problem == (400, "malformed-request")
    assert (await post(caller, "k", document(type="never"))).problem == (422, "version-unknown")
    assert (await post(caller, "k", document())).status == 201


async def test_i6_a_replayed_answer_has_the_stored_headers(caller: Caller) -> None:
    first, again = await post(caller, "k", document()), await post(caller, "k", document())
    assert first.position == again.position
    assert first.headers["content-type"] == again.headers["content-type"]


async def test_i7_events_without_an_id_get_one_that_follows_from_the_key(caller: Caller) -> None:
    first = await post(caller, "k", document(), about("b"), document(id="own"))
    ids = [result["id"] for result in first.json["results"]]
    assert ids[2] == "own"
    assert ids[0] != ids[1]
    other = await post(caller, "l", document())
    assert other.json["results"][0]["id"] not in ids
    assert (await caller.post(STRUCTURED, json.dumps(document()))).problem == (400, "idempotency-key-missing")
    by_content = [await caller.post(STRUCTURED, json.dumps(document()), "/events?dedupe=content") for _ in range(2)]
    assert [reply.status for reply in by_content] == [201, 200]


async def test_i8_when_the_answer_is_forgotten_the_identity_still_prevents_a_second_effect(tmp_path: Path) -> None:
    app = program()
    async with serving(app, in_file(tmp_path)) as caller:
        first = await post(caller, "k", document())
        assert await app.opened.store.forget_answers(before=2**62, limit=10) == 1
        again = await post(caller, "k", document())
        assert "idempotency-replayed" not in again.headers
        assert (again.status, again.json["results"][0]["outcome"]) == (200, "duplicate")
        assert again.position == first.position
        assert await caller.count() == 1


async def test_an_expected_position_holds_under_a_key_and_a_repeat_stays_a_success(caller: Caller) -> None:
    start = (await post(caller, "a", about("s"))).position
    second = await post(caller, "b", about("s"), tidings_expected_position=start)
    assert second.status == 201
    assert (await post(caller, "c", about("s"), tidings_expected_position=start)).slug == "subject-moved"
    assert same(second, await post(caller, "b", about("s"), tidings_expected_position=start))


async def test_an_event_that_stands_twice_under_a_key_is_one(caller: Caller) -> None:
    reply = await post(caller, "k", document(id="1"), document(id="1"))
    assert [result["outcome"] for result in reply.json["results"]] == ["appended", "duplicate"]
    assert await caller.count() == 1


async def test_views_and_followers_see_what_came_under_a_key(caller: Caller) -> None:
    reading = asyncio.create_task(caller.get("/events", prefer="wait=30"))
    reply = await post(caller, "k", document())
    assert len((await reading).json["entries"]) == 1
    row = await caller.get("/views/bookmarks/bookmark/jack/20", tidings_min_position=reply.position, prefer="wait=10")
    assert row.status == 200


async def test_a_put_needs_no_key_for_its_path_names_it(caller: Caller) -> None:
    for status in (201, 200):
        reply = await caller.put("/events/web/1", {**BOOKMARKED, "idempotency-key": "k"}, json.dumps(DATA))
        assert (reply.status, "idempotency-replayed" in reply.headers) == (status, False)
