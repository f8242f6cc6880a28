from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.unit.api.scopes import ask, receiving, scope
from tests.unit.api.shop import Shop, open_shop

from tidings.api import application as module
from tidings.api.answer import Message
from tidings.api.application import application
from tidings.api.guard import admit_local
from tidings.api.unreadable import METHODS
from tidings.console.application import Console
from tidings.errors import LogUnavailableError, StoreUnavailableError

JSON = {"content-type": "application/json"}


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("PATCH", "/events", "GET, HEAD, POST"),
        ("DELETE", "/events/web/1", "GET, HEAD, PUT"),
        ("POST", "/events/web/1", "GET, HEAD, PUT"),
        ("PUT", "/views", "GET, HEAD"),
        ("POST", "/views/stock/line", "GET, HEAD"),
        ("POST", "/views/stock/line/a/b", "GET, HEAD"),
        ("OPTIONS", "/healthz", "GET, HEAD"),
    ],
)
async def test_a_method_that_a_path_has_not_is_answered_with_those_it_has(
    shop: Shop, method: str, target: str, allowed: str
) -> None:
    reply = await ask(shop.http, method, target)
    assert (reply.status, reply.slug, reply.headers["allow"]) == (405, "method-not-allowed", allowed)


async def test_the_methods_that_a_refusal_names_are_those_of_all_routes() -> None:
    async with open_shop() as opened:
        table = (await application(opened.opened)).operations
    assert {"HEAD", *(each.method for each in table)} == set(METHODS)


@pytest.mark.parametrize("target", ["/", "/event", "/events/", "/events/a", "/events/a/b/c", "/views/", "/views/x"])
async def test_there_are_no_other_paths_and_no_redirects(shop: Shop, target: str) -> None:
    reply = await ask(shop.http, "GET", target)
    assert (reply.status, reply.slug, reply.json["instance"]) == (404, "not-found", target)


async def test_head_is_get_without_the_body(shop: Shop) -> None:
    await shop.place("1")
    for route in (
        "/events",
        "/events/web/1",
        "/views",
        "/views/stock/line",
        "/views/stock/order/1",
        "/healthz",
        "/nix",
    ):
        got, headed = await ask(shop.http, "GET", route), await ask(shop.http, "HEAD", route)
        assert (headed.status, headed.headers, headed.body) == (got.status, got.headers, b"")


async def test_every_route_refuses_parameters_it_does_not_know(shop: Shop) -> None:
    await shop.place("1")
    gets = ["/events", "/events/web/1", "/views", "/views/stock/line", "/views/stock/order/1", "/healthz", "/readyz"]
    for method, target in [("PUT", "/events/web/1"), ("POST", "/events"), *(("GET", target) for target in gets)]:
        reply = await ask(shop.http, method, f"{target}?pretty=1", {"ce-type": "order-placed", **JSON})
        assert (reply.status, reply.slug) == (400, "malformed-request"), target


async def test_a_stranger_reaches_nothing_but_the_probes(shop: Shop) -> None:
    stranger = {"host": "evil.example"}
    for route in ("/events", "/events/web/1", "/views", "/views/stock/line", "/openapi.json", "/nix"):
        reply = await ask(shop.http, "GET", route, stranger)
        assert (reply.status, reply.slug, reply.headers["www-authenticate"]) == (401, "unauthenticated", "Bearer")
    assert (await ask(shop.http, "PUT", "/events/web/1", stranger)).status == 401
    assert (await ask(shop.http, "POST", "/events", stranger)).status == 401
    for route in ("/healthz", "/readyz"):
        assert (await ask(shop.http, "GET", route, stranger)).status == 200


async def test_a_foreign_page_may_not_append(shop: Shop) -> None:
    headers = {"ce-type": "order-placed", "origin": "https://evil.example", **JSON}
    assert (await ask(shop.http, "PUT", "/events/web/1", headers, b"{}")).slug == "unauthenticated"


async def test_a_failure_nobody_foresaw_tells_nothing_of_itself(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret")

    monkeypatch.setattr(shop.opened.store, "select", fail)
    monkeypatch.setattr(shop.opened.log, "append", fail)
    with caplog.at_level(logging.ERROR, logger="tidings.api"):
        for reply in (await ask(shop.http, "GET", "/views/stock/line"), await shop.place("1")):
            assert (reply.status, reply.slug) == (500, "internal")
            assert "secret" not in reply.body.decode()
    assert "the secret" in caplog.text


@pytest.mark.parametrize(
    ("error", "slug"), [(LogUnavailableError, "log-unavailable"), (StoreUnavailableError, "store-unavailable")]
)
async def test_what_is_out_of_reach_says_when_to_ask_again(
    shop: Shop, error: type[Exception], slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise error("gone")

    monkeypatch.setattr(shop.opened.store, "select", fail)
    reply = await ask(shop.http, "GET", "/views/stock/line")
    assert (reply.status, reply.slug, reply.headers["retry-after"]) == (503, slug, "1")


async def test_more_requests_than_can_be_held_are_sent_away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNDER_WAY_MAX", 2)
    held, standing = asyncio.Event(), asyncio.Semaphore(0)

    async def hold(*_: Any, **__: Any) -> list[Any]:
        standing.release()
        await held.wait()
        return []

    monkeypatch.setattr(shop.opened.store, "select", hold)
    busy = [asyncio.create_task(ask(shop.http, "GET", "/views/stock/line")) for _ in range(2)]
    for _ in busy:
        await standing.acquire()
    reply = await shop.place("2")
    assert (reply.status, reply.slug, reply.headers["retry-after"]) == (503, "overloaded", "1")
    assert (await ask(shop.http, "GET", "/healthz")).status == 200
    held.set()
    await asyncio.gather(*busy)
    assert (await shop.place("2")).status == 201


async def test_forms_of_the_console_that_do_not_come_keep_nobody_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNDER_WAY_MAX", 2)
    http = await application(shop.opened, lambda opened: Console(opened, admit_local))
    headers = {"origin": "http://localhost:8080", "content-type": "application/x-www-form-urlencoded"}
    never: asyncio.Queue[Message] = asyncio.Queue()
    forms = []
    for _ in range(3):
        asked, sent = scope("POST", "/console/login", headers), asyncio.Queue[Message]()
        forms.append(asyncio.create_task(http(asked, never.get, sent.put)))
    await asyncio.sleep(0)
    assert (await ask(http, "GET", "/views")).status == 200
    for form in forms:
        form.cancel()
    await asyncio.wait(forms)


async def test_requests_that_wait_keep_nobody_out(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNDER_WAY_MAX", 2)
    token = (await shop.place("1")).headers["tidings-position"]
    asked = {"prefer": "wait=30", "tidings-min-position": token}
    waiting = []
    for _ in range(3):
        waiting.append(asyncio.create_task(ask(shop.http, "GET", "/views/stock/total", asked)))
        waiting.append(asyncio.create_task(ask(shop.http, "GET", f"/events?after={token}", {"prefer": "wait=30"})))
    assert (await ask(shop.http, "GET", "/views")).status == 200
    shop.http.waiting.stop()
    await asyncio.gather(*waiting)


async def test_a_burst_of_those_who_will_wait_keeps_nobody_out(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not taken for requests under way before they have come to their wait."""
    monkeypatch.setattr(module, "UNDER_WAY_MAX", 1)
    token = (await shop.place("1")).headers["tidings-position"]
    targets = [f"/events?after={token}"] * 20 + ["/views"]
    burst = [asyncio.create_task(ask(shop.http, "GET", target, {"prefer": "wait=30"})) for target in targets[:-1]]
    burst.append(asyncio.create_task(ask(shop.http, "GET", "/views")))
    assert (await burst[-1]).status == 200
    shop.http.waiting.stop()
    assert {reply.status for reply in await asyncio.gather(*burst)} == {200}


async def test_more_than_may_wait_are_told_so_and_the_log_has_one_line_for_all(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 2)
    token = (await shop.place("1")).headers["tidings-position"]
    target, prefer = f"/events?after={token}", {"prefer": "wait=30"}
    waiting = [asyncio.create_task(ask(shop.http, "GET", target, prefer)) for _ in range(2)]
    await asyncio.sleep(0)
    for asked in [(target, prefer), ("/events/stream", {})] * 5:
        reply = await ask(shop.http, "GET", *asked)
        assert (reply.status, reply.slug, reply.headers["retry-after"]) == (503, "overloaded", "1")
        assert "without `Prefer: wait`" in reply.json["detail"]
    assert len(caplog.records) == 1
    assert (await ask(shop.http, "GET", target)).status == 200
    shop.http.waiting.stop()
    await asyncio.gather(*waiting)


def slow(shop: Shop, sent: list[Message]) -> asyncio.Task[None]:
    """A request that has begun its body and does not go on."""
    chunks: asyncio.Queue[Message] = asyncio.Queue()
    chunks.put_nowait({"type": "http.request", "body": b"{", "more_body": True})

    async def send(message: Message) -> None:
        sent.append(message)

    asked = scope("PUT", "/events/web/slow", {"ce-type": "order-placed", **JSON})
    return asyncio.create_task(shop.http(asked, chunks.get, send))  # type: ignore[arg-type]


async def test_requests_that_are_still_being_received_keep_nobody_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNDER_WAY_MAX", 2)
    uploads = [slow(shop, []) for _ in range(20)]
    await asyncio.wait(uploads, timeout=0.02)
    assert (await shop.place("1")).status == 201
    assert (await ask(shop.http, "GET", "/views")).status == 200
    for upload in uploads:
        upload.cancel()
    await asyncio.wait(uploads)


async def test_a_request_that_is_cut_short_by_the_end_of_the_server_says_so(shop: Shop) -> None:
    sent: list[Message] = []
    upload = slow(shop, sent)
    await asyncio.wait([upload], timeout=0.02)
    shop.http.waiting.stop()
    upload.cancel()
    await asyncio.wait([upload])
    assert upload.cancelled()
    assert [message.get("status") for message in sent] == [503, None]
    assert b"urn:tidings:problem:log-unavailable" in sent[1]["body"]
    assert b"repeat it with the same ids" in sent[1]["body"]
    assert {b"retry-after", b"connection"} <= {name for name, _ in sent[0]["headers"]}


async def test_a_request_that_its_server_cancels_is_not_answered(shop: Shop) -> None:
    sent: list[Message] = []
    upload = slow(shop, sent)
    await asyncio.wait([upload], timeout=0.02)
    upload.cancel()
    await asyncio.wait([upload])
    assert sent == []


async def test_a_fragment_that_a_server_hands_over_is_refused(shop: Shop) -> None:
    body = b'{"order_id":"1","customer":"ann","amount":1}'
    for more in ({"raw_path": b"/events/web/1#2"}, {"query_string": b"#2"}, {"query_string": b"a=1#"}):
        headers = {"ce-type": "order-placed", **JSON}
        reply = await ask(shop.http, "PUT", "/events/web/1", headers, body, **more)
        assert (reply.status, reply.slug) == (400, "malformed-request")
        assert "%23" in reply.json["detail"]
    assert (await shop.opened.log.head()).position == 0


async def test_a_position_beyond_the_head_is_none_of_this_log_where_it_is_to_be_read_from(shop: Shop) -> None:
    token = (await shop.place("1")).headers["tidings-position"]
    beyond = token.rpartition("-")[0] + "-2"
    headers = {"ce-type": "order-placed", "tidings-expected-position": beyond, **JSON}
    body = b'{"order_id":"1","customer":"ann","amount":2}'
    for reply, name in (
        (await ask(shop.http, "GET", f"/events?after={beyond}"), "after: "),
        (await ask(shop.http, "PUT", "/events/web/2", headers, body), "Tidings-Expected-Position: "),
    ):
        assert (reply.status, reply.slug) == (400, "invalid-position")
        assert reply.json["detail"].startswith(f"{name}{beyond!r} lies beyond the last event")
    assert (await ask(shop.http, "GET", "/events", {"tidings-min-position": beyond})).slug == "position-not-reached"


async def test_a_position_between_the_subjects_last_and_the_head_may_be_expected(shop: Shop) -> None:
    await shop.place("1")
    token = (await shop.place("2")).headers["tidings-position"]
    headers = {"ce-type": "order-placed", "tidings-expected-position": token, **JSON}
    body = b'{"order_id":"1","customer":"ann","amount":2}'
    assert (await ask(shop.http, "PUT", "/events/web/3", headers, body)).status == 201


async def test_a_caller_who_goes_away_is_no_event_and_no_error(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    async def send(message: Message) -> None:
        raise AssertionError(f"nobody is there, and is told {message}")

    asked = scope("PUT", "/events/web/1", {"ce-type": "order-placed", **JSON})
    await shop.http(asked, receiving(b'{"order', then={"type": "http.disconnect"}), send)
    assert (await shop.opened.log.head()).position == 0
    assert caplog.records == []


async def test_a_caller_who_does_not_wait_for_the_answer_is_no_error(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    async def send(_: Message) -> None:
        raise OSError("the connection is closed")

    await shop.http(scope("GET", "/views"), receiving(b""), send)
    await shop.http(scope("GET", "/nix"), receiving(b""), send)
    assert caplog.records == []


async def test_it_serves_under_any_root_path(shop: Shop) -> None:
    around = Starlette(routes=[Mount("/inner/{tenant}", shop.http)])
    body = b'{"order_id":"a/b","customer":"ann","amount":1}'
    headers = {"ce-type": "order-placed", **JSON}
    reply = await ask(around, "PUT", "/inner/x%20y/events/w%2Fb/1", headers, body, app_root="")
    assert (reply.status, reply.headers["location"]) == (201, "/inner/x%20y/events/w%2Fb/1")
    assert (await ask(around, "GET", reply.headers["location"])).json["source"] == "w/b"
    assert (await ask(around, "GET", "/inner/t/views/stock/order/a%2Fb")).json["row"]["order_id"] == "a/b"
    assert (await ask(around, "GET", "/inner/t/openapi.json")).json["servers"] == [{"url": "/inner/t"}]
    assert (await ask(around, "GET", "/inner/t/nix")).json["instance"] == "/inner/t/nix"


async def test_the_description_is_sent_again_only_when_it_has_changed(shop: Shop) -> None:
    first = await ask(shop.http, "GET", "/openapi.json")
    again = await ask(shop.http, "GET", "/openapi.json", {"if-none-match": first.headers["etag"]})
    assert (first.json["openapi"], again.status, again.body) == ("3.1.0", 304, b"")


async def test_a_websocket_is_turned_away(shop: Shop) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await shop.http({"type": "websocket", "path": "/events"}, receiving(b""), send)
    assert sent == [{"type": "websocket.close", "code": 1000}]
