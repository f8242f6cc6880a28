"""Bad input: each kind with its status, its slug, and where it is. Nothing of it is ever kept."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import BATCH, BOOKMARKED, JSON, STRUCTURED, Caller, in_file, program, serving

GOOD = '{"tweet_id":"20","user_id":"jack"}'


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(program(), in_file(tmp_path)) as started:
        yield started
        assert await started.count() == 0


@pytest.mark.parametrize(
    ("body", "problem", "pointers"),
    [
        pytest.param('{"tweet_id":20,"user_id":"jack"}', (422, "invalid-data"), ["/tweet_id"], id="wrong type"),
        pytest.param('{"tweet_id":"20"}', (422, "invalid-data"), ["/user_id"], id="missing member"),
        pytest.param("[]", (422, "invalid-data"), [""], id="no object"),
        pytest.param(b"", (422, "invalid-data"), None, id="no data"),
        pytest.param("null", (422, "invalid-data"), [""], id="null"),
        pytest.param('{"tweet_id":', (400, "malformed-request"), None, id="cut off"),
        pytest.param('{"tweet_id":"20","user_id":"jack","n":NaN}', (400, "malformed-request"), None, id="NaN"),
        pytest.param('{"tweet_id":"20","user_id":"jack","n":1e999}', (400, "malformed-request"), None, id="infinite"),
        pytest.param(
            '{"tweet_id":"20","tweet_id":"21","user_id":"jack"}', (400, "malformed-request"), None, id="twice"
        ),
        pytest.param(b'{"tweet_id":"\xff","user_id":"jack"}', (400, "malformed-request"), None, id="no UTF-8"),
        pytest.param("\ufeff" + GOOD, (400, "malformed-request"), None, id="byte order mark"),
        pytest.param('{"x":' + "[" * 5000 + "]" * 5000 + "}", (400, "malformed-request"), None, id="deep"),
        pytest.param('{"x":' * 50_000, (400, "malformed-request"), None, id="very deep"),
        pytest.param(b'{"tweet_id":"' + b"x" * 262_200 + b'"}', (413, "envelope-too-large"), None, id="big"),
        pytest.param(b'"' + b"x" * (1 << 20) + b'"', (413, "body-too-large"), None, id="huge"),
    ],
)  # fmt: skip
async def test_data_that_cannot_be_kept_is_refused_with_its_place(
    caller: Caller, body: Any, problem: tuple[int, str], pointers: list[str] | None
) -> None:
    reply = await caller.put("/events/web/1", BOOKMARKED, body)
    assert reply.problem == problem, reply.body
    if pointers is not None:
        assert reply.pointers == pointers


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({"ce-type": "tweet-liked", **JSON}, (422, "version-unknown")),
        ({**BOOKMARKED, "ce-dataversion": "2"}, (422, "version-unknown")),
        ({**BOOKMARKED, "ce-dataversion": "two"}, (422, "invalid-envelope")),
        ({**BOOKMARKED, "ce-dataversion": "0"}, (422, "invalid-envelope")),
        (JSON, (422, "invalid-envelope")),
        ({**BOOKMARKED, "ce-specversion": "0.3"}, (422, "invalid-envelope")),
        ({**BOOKMARKED, "ce-time": "yesterday"}, (422, "invalid-envelope")),
        ({**BOOKMARKED, "ce-subject": ""}, (422, "invalid-envelope")),
        ({**BOOKMARKED, "ce-bad_name": "x"}, (422, "invalid-envelope")),
        ({**BOOKMARKED, "ce-data": "x"}, (422, "invalid-envelope")),
        ({**BOOKMARKED, "ce-big": "x" * 17_000}, (413, "envelope-too-large")),
        ({**BOOKMARKED, "ce-subject": "%C0%A0"}, (400, "malformed-request")),
        ({**BOOKMARKED, "ce-subject": "50%"}, (400, "malformed-request")),
        ({**BOOKMARKED, "ce-datacontenttype": "application/json"}, (400, "malformed-request")),
        ({**BOOKMARKED, "ce-id": "2"}, (400, "path-mismatch")),
        ({**BOOKMARKED, "ce-source": "app"}, (400, "path-mismatch")),
        ({**BOOKMARKED, "content-type": "text/xml"}, (415, "unsupported-media-type")),
        ({**BOOKMARKED, "content-type": "application/json; charset=latin-1"}, (415, "unsupported-media-type")),
        ({**BOOKMARKED, "tidings-expected-position": "x"}, (400, "invalid-position")),
        ({**BOOKMARKED, "tidings-expected-position": "other-1"}, (400, "invalid-position")),
        ([*BOOKMARKED.items(), ("ce-type", "tweet-bookmarked")], (400, "malformed-request")),
        ([*BOOKMARKED.items(), ("content-type", "application/json")], (400, "malformed-request")),
    ],
)  # fmt: skip
async def test_attributes_that_break_a_rule_are_refused(caller: Caller, headers: Any, problem: tuple[int, str]) -> None:
    reply = await caller.put("/events/web/1", headers, GOOD)
    assert reply.problem == problem, reply.body


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd"])
async def test_a_compressed_body_is_refused_with_what_is_taken(caller: Caller, coding: str) -> None:
    reply = await caller.put("/events/web/1", {**BOOKMARKED, "content-encoding": coding}, gzip.compress(GOOD.encode()))
    assert reply.problem == (415, "unsupported-media-type")
    assert reply.headers["accept-encoding"] == "identity"


async def test_a_body_without_a_length_is_refused_as_soon_as_it_is_too_large(caller: Caller) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b" " * 65_536

    reply = await caller.put("/events/web/1", BOOKMARKED, endless())
    assert reply.problem == (413, "body-too-large")


@pytest.mark.parametrize("target", ["/events/%C0%A0/1", "/events/web/50%25%", "/events/web/%zz", "/events/web/%ff"])
async def test_a_path_that_cannot_be_read_is_refused(caller: Caller, target: str) -> None:
    assert (await caller.put(target, BOOKMARKED, GOOD)).problem == (400, "malformed-request")


@pytest.mark.parametrize(
    "target", ["/events/web/", "/events//1", f"/events/web/{'x' * 257}", f"/events/{'x' * 1025}/1", "/events/web/%00"]
)
async def test_a_path_that_names_no_identity_is_refused(caller: Caller, target: str) -> None:
    assert (await caller.put(target, BOOKMARKED, GOOD)).problem == (422, "invalid-envelope")


async def test_a_post_that_nothing_tells_from_a_repeat_is_refused(caller: Caller) -> None:
    headers = {"ce-specversion": "1.0", "ce-source": "web", **BOOKMARKED}
    assert (await caller.post(headers, GOOD)).problem == (400, "idempotency-key-missing")
    assert (await caller.post(headers, GOOD, "/events?dedupe=time")).problem == (400, "malformed-request")


async def test_a_batch_to_a_path_of_one_event_is_refused(caller: Caller) -> None:
    assert (await caller.put("/events/web/1", BATCH, "[]")).problem == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("body", "problem", "pointers"),
    [
        ("{}", (422, "invalid-envelope"), [""]),
        ("[1]", (422, "invalid-envelope"), ["/0"]),
        ("[{}", (400, "malformed-request"), None),
        (json.dumps([{}] * 501), (413, "body-too-large"), [""]),
        ("[" + " " * (8 << 20) + "]", (413, "body-too-large"), None),
    ],
)
async def test_a_batch_that_cannot_be_read_is_refused(
    caller: Caller, body: str, problem: tuple[int, str], pointers: list[str] | None
) -> None:
    reply = await caller.post(BATCH, body)
    assert reply.problem == problem
    if pointers is not None:
        assert reply.pointers == pointers


async def test_a_structured_event_of_other_content_is_refused_with_pointers_into_the_document(caller: Caller) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "web", "type": "tweet-bookmarked", "data": {"tweet_id": 1}}
    reply = await caller.post(STRUCTURED, json.dumps(event))
    assert (reply.problem, reply.pointers) == ((422, "invalid-data"), ["/data/tweet_id"])


async def test_expecting_a_position_needs_one_event_with_a_subject(caller: Caller) -> None:
    token = (await caller.get("/events")).json["head"]
    event = {"specversion": "1.0", "source": "web", "type": "tweet-bookmarked", "data": json.loads(GOOD)}
    batch = json.dumps([event | {"id": "1"}, event | {"id": "2"}])
    reply = await caller.post({**BATCH, "tidings-expected-position": token}, batch)
    assert reply.problem == (422, "invalid-envelope")


async def test_a_batch_of_too_many_events_is_told_by_their_number(caller: Caller) -> None:
    found = (await caller.post(BATCH, json.dumps([{}] * 501))).json
    assert found["title"] == "The body is too large, or its batch has too many events"
    assert found["detail"] == "the batch has more than 500 events, which is the most there can be: send several"
