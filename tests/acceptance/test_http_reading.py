"""Reading over HTTP: by position, by key, as of a position, and no more often than something changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.http_server import BOOKMARKED, Caller, in_file, program, serving

CHECKS = ["settings", "log", "store", "schema", "leases", "checkpoints", "consumers"]


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(program(), in_file(tmp_path)) as started:
        yield started


async def test_a_slash_in_a_source_or_an_id_is_one_character_of_it(caller: Caller) -> None:
    target = "/events/https%3A%2F%2Fshop.example%2Ftill/o%2F1%20%25"
    reply = await caller.put(target, BOOKMARKED, '{"tweet_id":"a/b","user_id":"j/k"}')
    assert (reply.status, reply.headers["location"]) == (201, target)
    event = (await caller.get(target)).json
    assert (event["source"], event["id"], event["subject"]) == ("https://shop.example/till", "o/1 %", "a/b")
    headers = {"tidings_min_position": reply.position, "prefer": "wait=10"}
    assert (await caller.get("/views/bookmarks/bookmark/j%2Fk/a%2Fb", **headers)).status == 200
    assert (await caller.get("/views/bookmarks/bookmark/j/k/a%2Fb")).problem == (404, "not-found")


async def test_every_write_can_be_read_back_as_soon_as_it_is_answered(caller: Caller) -> None:
    for n in range(20):
        token = (await caller.bookmark(str(n), tweet=str(n))).position
        reply = await caller.get(f"/views/bookmarks/bookmark/jack/{n}", tidings_min_position=token, prefer="wait=10")
        assert (reply.status, reply.json["row"]["tweet_id"]) == (200, str(n))
        assert int(reply.position.rpartition("-")[2]) >= int(token.rpartition("-")[2])


async def test_a_position_far_ahead_is_waited_for_and_then_refused(caller: Caller) -> None:
    head = (await caller.bookmark("1")).position
    token = head + "0"
    for target in ("/views/bookmarks/bookmark", "/views/bookmarks/bookmark/jack/20", "/events", "/events/web/1"):
        for headers in ({}, {"prefer": "wait=0"}):
            reply = await caller.get(target, tidings_min_position=token, **headers)
            assert (reply.problem, reply.headers["retry-after"]) == ((412, "position-not-reached"), "1")
            assert target.startswith("/views") or reply.position == head


async def test_a_token_of_another_log_is_refused(caller: Caller) -> None:
    for target in ("/views/bookmarks/bookmark", "/events"):
        reply = await caller.get(target, tidings_min_position="0000ffff-1")
        assert reply.problem == (400, "invalid-position")
    assert (await caller.get("/events?after=0000ffff-1")).problem == (400, "invalid-position")


async def test_entries_come_in_order_page_by_page_and_filtered(caller: Caller) -> None:
    for n in range(7):
        await caller.bookmark(str(n), tweet="even" if n % 2 == 0 else "odd")
    ids, target = [], "/events?limit=2&subject=even&type=tweet-bookmarked&source=web"
    while True:
        page = (await caller.get(target)).json
        if not page["entries"]:
            break
        ids += [entry["event"]["id"] for entry in page["entries"]]
        target = f"/events?limit=2&subject=even&after={page['next']}"
    assert ids == ["0", "2", "4", "6"]
    assert page["next"] == page["head"]
    assert (await caller.get("/events?type=never")).json["next"] == page["head"]


async def test_a_reader_at_the_head_waits_for_the_next_entry(caller: Caller) -> None:
    head = (await caller.bookmark("1")).position
    reading = asyncio.create_task(caller.get(f"/events?after={head}", prefer="wait=30"))
    await asyncio.wait([reading], timeout=0.05)
    assert not reading.done()
    await caller.bookmark("2", tweet="21")
    reply = await reading
    assert [entry["event"]["id"] for entry in reply.json["entries"]] == ["2"]
    assert reply.headers["preference-applied"] == "wait=30"


async def test_a_page_of_rows_leads_to_the_next(caller: Caller) -> None:
    for n in range(5):
        token = (await caller.bookmark(str(n), tweet=str(n))).position
    tweets, cursor = [], ""
    while cursor is not None:
        target = f"/views/bookmarks/bookmark?user_id=jack&limit=2{cursor and '&after=' + cursor}"
        page = (await caller.get(target, tidings_min_position=token, prefer="wait=10")).json
        tweets += [row["tweet_id"] for row in page["rows"]]
        cursor = page["next"]
    assert tweets == ["0", "1", "2", "3", "4"]


async def test_a_row_is_sent_once_until_it_changes(caller: Caller) -> None:
    token = (await caller.bookmark("1")).position
    target = "/views/bookmarks/bookmark/jack/20"
    tag = (await caller.get(target, tidings_min_position=token, prefer="wait=10")).headers["etag"]
    assert (await caller.get(target, if_none_match=tag)).status == 304
    token = (await caller.bookmark("2")).position
    reply = await caller.get(target, tidings_min_position=token, prefer="wait=10", if_none_match=tag)
    assert (reply.status, reply.headers["etag"] != tag) == (200, True)


async def test_head_has_the_headers_of_get_and_no_body(caller: Caller) -> None:
    await caller.bookmark("1")
    for target in ("/events", "/events/web/1", "/views", "/healthz", "/readyz", "/openapi.json", "/events/web/nix"):
        got, headed = await caller.get(target), await caller.ask("HEAD", target)
        assert (headed.status, headed.body) == (got.status, b"")
        assert headed.headers["content-length"] == str(len(got.body))


async def test_a_method_a_path_has_not_is_answered_with_those_it_has(caller: Caller) -> None:
    for method, target, allowed in [
        ("DELETE", "/events/web/1", "GET, HEAD, PUT"),
        ("PATCH", "/events", "GET, HEAD, POST"),
        ("POST", "/views/bookmarks/bookmark", "GET, HEAD"),
    ]:
        reply = await caller.ask(method, target)
        assert (reply.problem, reply.headers["allow"]) == ((405, "method-not-allowed"), allowed)


async def test_an_unknown_parameter_is_no_filter(caller: Caller) -> None:
    for target in ("/events?subjct=1", "/views/bookmarks/bookmark?user=jack", "/healthz?full=1"):
        assert (await caller.get(target)).problem == (400, "malformed-request")


async def test_an_answer_that_nobody_accepts_is_not_made(caller: Caller) -> None:
    await caller.bookmark("1")
    for target in ("/events", "/events/web/1", "/views", "/views/bookmarks/bookmark", "/openapi.json"):
        assert (await caller.get(target, accept="text/html")).problem == (406, "not-acceptable")


async def test_the_probes_hold_and_the_description_is_there(caller: Caller) -> None:
    assert (await caller.get("/healthz")).json == {"status": "ok", "checks": ["heartbeat"]}
    assert (await caller.get("/readyz")).json == {"status": "ok", "checks": CHECKS}
    described = await caller.get("/openapi.json")
    assert json.dumps(described.json["paths"]).count("bookmarks") > 1
    assert (await caller.get("/openapi.json", if_none_match=described.headers["etag"])).status == 304


async def test_a_view_has_one_name_and_a_path_of_its_own(caller: Caller) -> None:
    there = "there is bookmarks.bookmark"
    for target, named in (("bookmarks/nix", "bookmarks.nix"), ("bookmarks/bookmark@1", "bookmarks.bookmark@1")):
        reply = await caller.get(f"/views/{target}")
        assert reply.problem == (404, "not-found")
        assert f"there is no view '{named}'; {there}" in reply.json["detail"], reply.json
    for target in ("bookmarks.bookmark", "bookmarks.bookmark@1", "bookmarks"):
        reply = await caller.get(f"/views/{target}")
        assert reply.problem == (404, "not-found")
        assert "a view's rows are at /views/SERVICE/VIEW" in reply.json["detail"], reply.json
