"""The rules B1 to B11 of the HTTP binding, as a stranger meets them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import BATCH, BOOKMARKED, STRUCTURED, Caller, in_file, program, serving

DATA = {"tweet_id": "20", "user_id": "jack"}
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "web", **BOOKMARKED}


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(program(), in_file(tmp_path)) as started:
        yield started


def document(**members: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "1", "source": "web", "type": "tweet-bookmarked", "data": DATA} | members


async def as_document(caller: Caller, id: str = "1") -> Any:
    return (await caller.get(f"/events/web/{id}")).json


async def as_binary(caller: Caller, id: str = "1") -> tuple[Any, bytes]:
    reply = await caller.get(f"/events/web/{id}", accept="application/json")
    return reply.headers, reply.body


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/cloudevents+json", document(), 201),
        ("Application/CloudEvents+JSON; charset=UTF-8", document(), 201),
        ("application/cloudevents-batch+json", [document()], 201),
        ("application/cloudevents-batch+json; charset=utf-8", [document()], 201),
        ("application/cloudevents+avro", document(), 415),
        ("application/cloudevents-batch+avro", [document()], 415),
        ("application/cloudevents", document(), 415),
        ("application/cloudevents+json; charset=utf-16", document(), 415),
        ("application/json", DATA, 201),
        ("application/json; charset=latin-1", DATA, 415),
    ],
)
async def test_b1_the_media_type_says_the_mode(caller: Caller, content_type: str, body: Any, status: int) -> None:
    reply = await caller.post({**BINARY, "content-type": content_type}, json.dumps(body))
    assert reply.status == status, reply.body


async def test_b1_a_byte_order_mark_is_malformed(caller: Caller) -> None:
    assert (await caller.post(STRUCTURED, "\ufeff" + json.dumps(document()))).problem == (400, "malformed-request")


async def test_b2_headers_are_attributes_in_any_case_and_each_once(caller: Caller) -> None:
    assert (await caller.post([("CE-Shade", "dark"), *BINARY.items()], json.dumps(DATA))).status == 201
    headers, body = await as_binary(caller)
    assert (headers["ce-shade"], headers["content-type"], json.loads(body)) == ("dark", "application/json", DATA)
    twice = [*BINARY.items(), ("CE-SHADE", "a"), ("CE-SHADE", "b")]
    assert (await caller.post(twice, json.dumps(DATA))).problem == (400, "malformed-request")
    named = {**BINARY, "ce-datacontenttype": "application/json"}
    assert (await caller.post(named, json.dumps(DATA))).problem == (400, "malformed-request")


async def test_b2_the_body_is_the_stored_bytes(caller: Caller) -> None:
    sent = b'{ "tweet_id" : "20",\n"user_id":"jack", "n": 1.10 }'
    await caller.post(BINARY, sent)
    assert (await as_binary(caller))[1] == sent


async def test_b3_b4_attributes_are_percent_coded_both_ways(caller: Caller) -> None:
    coded, text = "Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"
    await caller.post({**BINARY, "ce-shade": coded}, json.dumps(DATA))
    assert (await as_document(caller))["shade"] == text
    assert (await as_binary(caller))[0]["ce-shade"] == coded


@pytest.mark.parametrize(
    ("sent", "text"),
    [('"a \\"b\\" c"', 'a "b" c'), ("%e2%82%ac", "€"), ("%41", "A"), ("a b", "a b"), ("%2525", "%25")],
)
async def test_b4_what_older_senders_write_is_read(caller: Caller, sent: str, text: str) -> None:
    assert (await caller.post({**BINARY, "ce-shade": sent}, json.dumps(DATA))).status == 201
    assert (await as_document(caller))["shade"] == text


@pytest.mark.parametrize("sent", ["%C0%A0", "%FF", "50%", "%2", "%zz"])
async def test_b4_what_cannot_be_decoded_is_malformed(caller: Caller, sent: str) -> None:
    assert (await caller.post({**BINARY, "ce-shade": sent}, json.dumps(DATA))).problem == (400, "malformed-request")


async def test_b5_a_document_is_the_event_and_headers_beside_it_are_not(caller: Caller) -> None:
    reply = await caller.post({**STRUCTURED, "ce-id": "9", "ce-shade": "dark"}, json.dumps(document(level=3, on=True)))
    assert reply.json["results"][0]["id"] == "1"
    found = await as_document(caller)
    assert (found["level"], found["on"], found.get("shade")) == (3, True, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"specversion":"1.0","id":"1","id":"1","source":"w","type":"tweet-bookmarked"}', (400, "malformed-request")),
        (json.dumps(document(level=1.5)), (422, "invalid-envelope")),
        (json.dumps(document(level=2**31)), (422, "invalid-envelope")),
        (json.dumps(document(level=[1])), (422, "invalid-envelope")),
        (json.dumps(document(level={"a": 1})), (422, "invalid-envelope")),
    ],
)
async def test_b5_a_document_that_breaks_a_rule_is_refused(caller: Caller, text: str, problem: tuple[int, str]) -> None:
    assert (await caller.post(STRUCTURED, text)).problem == problem


async def test_b6_null_is_absent_for_an_attribute_and_present_for_data(caller: Caller) -> None:
    assert (await caller.post(STRUCTURED, json.dumps(document(id=None)))).problem == (400, "idempotency-key-missing")
    assert (await caller.post(STRUCTURED, json.dumps(document(source=None)))).problem == (422, "invalid-envelope")
    reply = await caller.post(STRUCTURED, json.dumps(document(data=None)))
    assert (reply.problem, reply.pointers) == ((422, "invalid-data"), ["/data"])
    assert (await caller.post(STRUCTURED, json.dumps(document(shade=None)))).status == 201


async def test_b7_a_json_string_is_not_parsed_again_and_other_data_is_a_string(caller: Caller) -> None:
    reply = await caller.post(STRUCTURED, json.dumps(document(data=json.dumps(DATA))))
    assert reply.problem == (422, "invalid-data")
    typed = document(datacontenttype="text/plain", data=DATA)
    assert (await caller.post(STRUCTURED, json.dumps(typed))).problem == (422, "invalid-envelope")
    assert (await caller.post(STRUCTURED, json.dumps(document(datacontenttype="x/Y+JSON; a=b")))).status == 201


async def test_b8_base64_is_strict_and_stands_alone(caller: Caller) -> None:
    coded = base64.b64encode(json.dumps(DATA).encode()).decode()
    both = document(data_base64=coded)
    assert (await caller.post(STRUCTURED, json.dumps(both))).problem == (400, "malformed-request")
    for broken in (coded.rstrip("=") + "*", coded[:-1], coded[:5] + "\n" + coded[5:]):
        alone = document(data_base64=broken)
        del alone["data"]
        assert (await caller.post(STRUCTURED, json.dumps(alone))).problem == (400, "malformed-request")


async def test_b9_data_is_sent_on_as_it_came_with_the_type_it_has(caller: Caller) -> None:
    text = json.dumps(document()).replace('"data": {', '"data": {"n": 1.10e2, ')
    await caller.post(STRUCTURED, text)
    headers, body = await as_binary(caller)
    assert headers["content-type"] == "application/json"
    assert b"1.10e2" in body
    assert b"1.10e2" in (await caller.get("/events/web/1")).body


async def test_b10_a_batch_is_all_or_nothing(caller: Caller) -> None:
    empty = await caller.post(BATCH, "[]")
    assert (empty.status, empty.json) == (200, {"results": []})
    events = [document(id=str(n)) for n in range(5)]
    bad = await caller.post(BATCH, json.dumps([*events[:3], events[3] | {"source": ""}, events[4]]))
    assert (bad.problem, bad.pointers) == ((422, "invalid-envelope"), ["/3/source"])
    unfit = await caller.post(BATCH, json.dumps([events[0], events[1] | {"data": {"tweet_id": "1", "user_id": 5}}]))
    assert (unfit.problem, unfit.pointers) == ((422, "invalid-data"), ["/1/data/user_id"])
    assert await caller.count() == 0
    added = await caller.post(BATCH, json.dumps(events))
    assert (added.status, [result["outcome"] for result in added.json["results"]]) == (201, ["appended"] * 5)
    mixed = await caller.post(BATCH, json.dumps([events[0], document(id="new")]))
    assert (mixed.status, [result["outcome"] for result in mixed.json["results"]]) == (201, ["duplicate", "appended"])
    again = await caller.post(BATCH, json.dumps(events))
    assert (again.status, again.json["results"][0]["position"]) == (200, added.json["results"][0]["position"])
    other = events[1] | {"data": {"tweet_id": "x", "user_id": "y"}}
    assert (await caller.post(BATCH, json.dumps([document(id="z"), other]))).problem == (409, "event-conflict")
    assert await caller.count() == 6


async def test_b10_a_batch_is_sent_only_to_who_asks_for_it(caller: Caller) -> None:
    await caller.post(BINARY, json.dumps(DATA))
    assert "entries" in (await caller.get("/events")).json
    batch = await caller.get("/events", accept="application/cloudevents-batch+json")
    assert [event["id"] for event in batch.json] == ["1"]


async def test_b11_a_post_says_that_it_is_an_event_and_a_put_is_one_by_its_path(caller: Caller) -> None:
    without = {name: value for name, value in BINARY.items() if name != "ce-specversion"}
    assert (await caller.post(without, json.dumps(DATA))).problem == (400, "malformed-request")
    assert (await caller.put("/events/web/1", BOOKMARKED, json.dumps(DATA))).status == 201
    assert (await caller.put("/events/web/2", BINARY | {"ce-id": "2"}, json.dumps(DATA))).status == 201
    assert (await caller.put("/events/web/3", STRUCTURED, json.dumps(document(id="3")))).status == 201
    assert (await caller.put("/events/web/4", STRUCTURED, json.dumps(document()))).problem == (400, "path-mismatch")


async def test_an_event_without_an_id_is_told_from_others_by_its_content_if_the_caller_says_so(caller: Caller) -> None:
    headers = {name: value for name, value in BINARY.items() if name != "ce-id"}
    first = await caller.post(headers, json.dumps(DATA), "/events?dedupe=content")
    second = await caller.post(headers, json.dumps(DATA, indent=2), "/events?dedupe=content")
    other = await caller.post(headers, json.dumps(DATA | {"user_id": "jill"}), "/events?dedupe=content")
    assert (first.status, second.status, other.status) == (201, 200, 201)
    assert first.json["results"][0]["id"] == second.json["results"][0]["id"] != other.json["results"][0]["id"]


async def test_only_new_events_are_wanted_with_if_none_match(caller: Caller) -> None:
    headers = {**BOOKMARKED, "if-none-match": "*"}
    assert (await caller.put("/events/web/1", headers, json.dumps(DATA))).status == 201
    for data in (DATA, DATA | {"user_id": "jill"}):
        reply = await caller.put("/events/web/1", headers, json.dumps(data))
        assert reply.problem == (412, "precondition-failed")


async def test_a_condition_that_is_not_kept_is_refused_and_nothing_appended(caller: Caller) -> None:
    for condition in ({"if-match": "*"}, {"if-match": '"1"'}, {"if-none-match": '"1"'}, {"if-none-match": '*, "1"'}):
        reply = await caller.put("/events/web/1", {**BOOKMARKED, **condition}, json.dumps(DATA))
        assert reply.problem == (400, "malformed-request"), condition
    for condition in ({"if-match": "*"}, {"if-none-match": "*"}):
        assert (await caller.post({**BINARY, **condition}, json.dumps(DATA))).problem == (400, "malformed-request")
    assert await caller.count() == 0


async def test_an_event_is_refused_if_its_subject_has_moved_but_a_repeat_is_not(caller: Caller) -> None:
    seen = (await caller.put("/events/web/1", BOOKMARKED, json.dumps(DATA))).position
    headers = {**BOOKMARKED, "tidings-expected-position": seen}
    second = await caller.put("/events/web/2", headers, json.dumps(DATA))
    assert second.status == 201
    assert (await caller.put("/events/web/3", headers, json.dumps(DATA))).problem == (409, "subject-moved")
    assert (await caller.put("/events/web/2", headers, json.dumps(DATA))).status == 200
