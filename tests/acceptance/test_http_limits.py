"""What a server without keys takes from whom, and how much of it; and what it does when the disk is full."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import BOOKMARKED, Caller, HastyClock, in_file, program, raw, serving
from tidings.ports import Ports, SystemClock
from tidings.serving import console


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(program(), in_file(tmp_path)) as started:
        yield started


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=127.0.0.1"}],
)
async def test_whoever_may_come_from_elsewhere_is_turned_away(caller: Caller, headers: dict[str, str]) -> None:
    for reply in (
        await caller.ask("GET", "/views", headers),
        await caller.put("/events/web/1", {**BOOKMARKED, **headers}, "{}"),
    ):
        assert (reply.problem, reply.headers["www-authenticate"]) == ((401, "unauthenticated"), "Bearer")


async def test_another_sites_page_may_not_append(caller: Caller) -> None:
    reply = await caller.put("/events/web/1", {**BOOKMARKED, "origin": "https://evil.example"}, "{}")
    assert reply.problem == (401, "unauthenticated")
    own = await caller.put("/events/web/1", {**BOOKMARKED, "origin": caller.url}, '{"tweet_id":"1","user_id":"jack"}')
    assert own.status == 201


@pytest.mark.parametrize(
    "text",
    [
        b"GET /views HTTP/1.1\r\nhost: localhost\r\nx-long: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /views HTTP/1.1\r\nhost: localhost\r\n" + b"".join(b"x-%d: a\r\n" % n for n in range(9_000)) + b"\r\n",
        b"this is no request\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
async def test_what_cannot_be_a_request_is_a_problem_and_the_end(caller: Caller, text: bytes) -> None:
    answer = await raw(caller, text)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert b"urn:tidings:problem:malformed-request" in body
    assert (await caller.get("/healthz")).status == 200


async def test_a_head_that_never_ends_is_given_up(caller: Caller) -> None:
    beginning = b"GET /views HTTP/1.1\r\nhost: localhost\r\nx-endless: "
    with suppress(ConnectionError):  # it is cut off in the midst, whether or not the answer still gets through
        await raw(caller, beginning, *repeat(b"a" * 65_536, 100))
    assert (await caller.get("/healthz")).status == 200


PUT = (
    b"PUT /events/web/%b HTTP/1.1\r\nhost: localhost\r\nce-type: tweet-bookmarked\r\ncontent-type: application/json\r\n"
)
BODY = b'{"tweet_id":"20","user_id":"jack"}'
SIZED = b"content-length: %d\r\n\r\n" % len(BODY)


@pytest.mark.parametrize(
    "offer",
    [
        b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABk\r\n",
        b"connection: upgrade\r\nupgrade: websocket\r\n",
    ],
)
@pytest.mark.parametrize("body", [SIZED + BODY, b"transfer-encoding: chunked\r\n\r\n22\r\n" + BODY + b"\r\n0\r\n\r\n"])
async def test_an_event_of_a_client_that_offers_another_protocol_is_kept_whole(
    caller: Caller, offer: bytes, body: bytes
) -> None:
    last = PUT % b"2" + b"connection: close\r\n" + SIZED + BODY
    assert (await raw(caller, PUT % b"1" + offer + body + last)).count(b"201 Created") == 2
    assert (await caller.get("/events/web/1")).json["data"] == json.loads(BODY)


async def test_an_id_with_a_fragment_is_no_other_event(caller: Caller) -> None:
    assert (await caller.bookmark("a")).status == 201
    answer = await raw(caller, PUT % b"a#b" + SIZED + BODY)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert (await caller.bookmark("a%23b")).status == 201
    assert await caller.count() == 2


async def test_what_follows_a_body_is_no_attribute(caller: Caller) -> None:
    body = b"transfer-encoding: chunked\r\n\r\n22\r\n" + BODY + b"\r\n0\r\nce-subject: x\r\nhost: evil.example\r\n\r\n"
    last = PUT % b"2" + b"connection: close\r\n" + SIZED + BODY
    assert (await raw(caller, PUT % b"1" + body + last)).count(b"201 Created") == 2
    assert (await caller.get("/events/web/1")).json["subject"] == "20"


async def test_an_event_is_answered_before_the_garbage_behind_it(caller: Caller) -> None:
    answer = await raw(caller, PUT % b"1" + SIZED + BODY + b"garbage\r\n\r\n")
    assert answer.index(b"HTTP/1.1 201 ") < answer.index(b"HTTP/1.1 400 ")
    assert await caller.count() == 1


async def test_another_host_in_the_target_is_turned_away(caller: Caller) -> None:
    target = b"GET http://%b/views HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    assert (await raw(caller, target % b"evil.example")).startswith(b"HTTP/1.1 401 ")
    assert (await raw(caller, target % b"localhost:1")).startswith(b"HTTP/1.1 200 ")


class SwiftClock(SystemClock):
    """A clock on which a second passes in a moment."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 200)


async def test_who_does_not_go_on_is_given_up(tmp_path: Path) -> None:
    async with serving(program(), in_file(tmp_path), Ports(clock=SwiftClock())) as caller:
        for beginning in (b"", b"GET /views HTTP/1.1\r\nhost: loc", b"\r\n"):
            assert await raw(caller, beginning) == b""
        answer = await raw(caller, PUT % b"1" + SIZED + BODY[:-1])
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"urn:tidings:problem:body-timeout" in answer
        assert await caller.count() == 0


async def test_a_form_of_the_console_that_does_not_come_is_given_up_on_a_page(tmp_path: Path) -> None:
    head = b"POST /console/login HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost\r\ncontent-length: 30\r\n"
    form = b"content-type: application/x-www-form-urlencoded\r\n\r\ntoken="
    async with serving(program(), in_file(tmp_path), Ports(clock=SwiftClock()), pages=console) as caller:
        answer = await raw(caller, head + form)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"\r\nconnection: close\r\n" in answer
        assert b"<main" in answer
        assert b"send it again" in answer


@pytest.mark.parametrize("framing", ["content-length", "transfer-encoding"])
async def test_who_still_sends_a_body_that_is_too_large_is_told_so(caller: Caller, framing: str) -> None:
    piece, reader, writer = b"x" * 65_536, *await asyncio.open_connection("127.0.0.1", int(caller.url.split(":")[2]))
    length = b"content-length: %d" % (24 * len(piece)) if framing == "content-length" else b"transfer-encoding: chunked"
    writer.write(PUT % b"1" + b"connection: close\r\n" + length + b"\r\n\r\n")
    for _ in range(24):
        writer.write(piece if framing == "content-length" else b"10000\r\n" + piece + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.005)
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert json.loads(body)["type"].endswith(":body-too-large")


async def test_attributes_of_the_largest_size_fit(caller: Caller) -> None:
    reply = await caller.bookmark("1", shade="%C3%BC" * 8_000)
    assert reply.status == 201, reply.body


async def test_requests_of_one_connection_are_answered_in_their_order(caller: Caller) -> None:
    one = b"GET /events/web/%d HTTP/1.1\r\nhost: localhost\r\n%s\r\n"
    answer = await raw(caller, one % (1, b"") + one % (2, b"") + one % (3, b"connection: close\r\n"))
    places = [answer.index(b"/events/web/%d" % n) for n in (1, 2, 3)]
    assert places == sorted(places)


async def test_a_full_disk_is_503_nothing_half_done_and_then_it_goes_on(tmp_path: Path) -> None:
    app, ports = program(), Ports(clock=HastyClock())
    async with serving(app, in_file(tmp_path), ports) as caller:
        assert (await caller.bookmark("before")).status == 201
        await fill_disk(app, pages=1)
        big = "x" * 100_000
        replies = await asyncio.gather(*(caller.bookmark(f"{n}", tweet=f"{n}", user=big) for n in range(5)))
        for reply in replies:
            assert (reply.problem, reply.headers["retry-after"]) == ((503, "log-unavailable"), "1")
        assert await caller.count() == 1
        assert (await caller.get("/healthz")).status == 200
        await fill_disk(app, pages=1 << 30)
        replies = await asyncio.gather(*(caller.bookmark(f"{n}", tweet=f"{n}", user=big) for n in range(5)))
        assert {reply.status for reply in replies} <= {200, 201}
        assert await caller.count() == 6


async def fill_disk(app: Any, *, pages: int) -> None:
    """Let the database grow no further than this; SQLite takes 1 as the number of pages there are."""
    database = app.opened.store._database
    await database.hop(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}"))
