"""An endpoint that fetches what it is sent, over HTTP and relayed by `tidings listen`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tests.acceptance.http_server import JSON, Caller, Reply, program, serving
from tests.acceptance.test_http_endpoints import ask
from tests.unit.webhooks.deliver.desk import PATIENCE, Sink, always, sink
from tidings import Settings


@pytest.fixture
async def caller(settings: Settings) -> AsyncIterator[Caller]:
    async with serving(program(), replace(settings, delivery_delays="0,0.1")) as started:
        yield started


async def made(caller: Caller, **members: Any) -> Reply:
    reply = await ask(caller, "PUT", "/endpoints/dev", {"via": "poll", **members})
    assert reply.status == 201, reply.json
    return reply


async def say(caller: Caller, *ids: str) -> None:
    for id in ids:
        reply = await caller.put(
            f"/events/web/{id}", {"ce-type": "tweet-bookmarked", **JSON}, json.dumps({"tweet_id": id, "user_id": "u"})
        )
        assert reply.status == 201


async def poll(caller: Caller, query: str = "") -> Any:
    reply = await caller.ask("GET", f"/endpoints/dev/poll{query}", {"prefer": "wait=20"})
    assert reply.status == 200, reply.json
    return reply.json


def ids(page: Any) -> list[str]:
    return [each["event"]["id"] for each in page["deliveries"]]


async def until(caller: Caller, *wanted: str) -> Any:
    """Poll until these are what there is."""
    async with asyncio.timeout(PATIENCE):
        while ids(page := await poll(caller)) != [*wanted]:
            await asyncio.sleep(0.02)
    return page


async def test_a_page_is_read_again_until_it_is_committed_with_the_next(caller: Caller) -> None:
    reply = await made(caller)
    assert (reply.json["url"], reply.json["via"]) == (None, "poll")
    await say(caller, "a", "b", "c")
    await until(caller, "a", "b", "c")
    first = await poll(caller, "?limit=2")
    assert (ids(first), first["done"]) == (["a", "b"], False)
    assert ids(await poll(caller, "?limit=2")) == ["a", "b"]  # its reader has died
    second = await poll(caller, f"?limit=2&iterator={first['iterator']}")
    assert (ids(second), second["done"]) == (["c"], True)
    again = await poll(caller, f"?limit=2&iterator={first['iterator']}")
    assert again["deliveries"][0]["webhook_id"] == second["deliveries"][0]["webhook_id"]
    done = await ask(caller, "POST", "/endpoints/dev/poll", {"iterator": second["iterator"]})
    assert (done.status, done.json) == (200, {"endpoint": "dev", "committed": 1})
    twice = await ask(caller, "POST", "/endpoints/dev/poll", {"iterator": second["iterator"]})
    assert twice.json["committed"] == 0
    nothing = (await caller.get("/endpoints/dev/poll")).json
    assert nothing == {"deliveries": [], "iterator": None, "done": True}
    states = [each["state"] for each in (await caller.get("/deliveries?endpoint=dev")).json["deliveries"]]
    assert states == ["delivered"] * 3


async def test_what_was_not_read_is_not_committed(caller: Caller) -> None:
    await made(caller)
    await say(caller, "a", "b", "c")
    page = await until(caller, "a", "b", "c")
    middle = page["deliveries"][1]["delivery"]
    assert (await ask(caller, "POST", f"/deliveries/{middle}/cancel", {})).status == 200
    read = await until(caller, "a", "c")
    assert ids(await poll(caller, f"?iterator={read['iterator']}")) == []


async def test_a_poll_waits_for_the_first_delivery(caller: Caller) -> None:
    await made(caller)
    waiting = asyncio.create_task(caller.ask("GET", "/endpoints/dev/poll", {"prefer": "wait=20"}))
    await say(caller, "a")
    reply = await asyncio.wait_for(waiting, PATIENCE)
    assert (ids(reply.json), reply.headers["preference-applied"]) == (["a"], "wait=20")


async def test_a_poll_is_woken_by_what_is_added_and_not_by_looking_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.api.polling.LOOK_SECONDS", 3_600)
    await made(caller)
    await say(caller, "a")
    page = await until(caller, "a")
    waiting = asyncio.create_task(poll(caller, f"?iterator={page['iterator']}"))
    async with asyncio.timeout(PATIENCE):
        while (await caller.get("/deliveries?endpoint=dev&state=due")).json["deliveries"]:
            await asyncio.sleep(0.01)
    await say(caller, "b")
    assert ids(await waiting) == ["b"]


async def test_a_signed_page_has_what_a_push_would_have_been(caller: Caller) -> None:
    secret = (await made(caller, headers={"x-team": "sales"})).json["signing_secret"]
    await say(caller, "a")
    await until(caller, "a")
    [polled] = (await poll(caller, "?signed=true"))["deliveries"]
    headers, body = polled["request"]["headers"], polled["request"]["body"]
    assert Webhook(secret).verify(body.encode(), headers)["id"] == "a"
    assert (headers["webhook-id"], headers["x-team"]) == (polled["webhook_id"], "sales")
    assert json.loads(body) == polled["event"]


async def test_only_what_is_polled_is_polled(caller: Caller) -> None:
    assert (await ask(caller, "PUT", "/endpoints/crm", {"url": "https://example.com/"})).status == 201
    assert (await caller.get("/endpoints/crm/poll")).problem == (409, "endpoint-state")
    assert (await caller.get("/endpoints/nix/poll")).problem == (404, "not-found")
    tag = (await made(caller)).headers["etag"]
    for query in ("iterator=x", "iterator=W10", "signed=yes", "limit=0", "after=1"):
        assert (await caller.get(f"/endpoints/dev/poll?{query}")).problem == (400, "malformed-request")
    changed = await ask(caller, "PATCH", "/endpoints/dev", {"via": "push"}, if_match=tag)
    assert changed.problem == (422, "invalid-configuration")
    for members in ({"url": "https://example.com/"}, {"ordering": "key"}, {"rate": 5}):
        wrong = await ask(caller, "PUT", "/endpoints/x", {"via": "poll", **members})
        assert (wrong.problem, len(wrong.json["errors"])) == ((422, "invalid-configuration"), 1)
    await ask(caller, "POST", "/endpoints/dev/pause", {})
    assert (await caller.get("/endpoints/dev/poll")).problem == (409, "endpoint-state")


@pytest.fixture
async def to() -> AsyncIterator[Sink]:
    async with sink() as made:
        yield made


async def test_deliveries_are_relayed_and_what_fails_is_tried_again(
    caller: Caller, settings: Settings, to: Sink
) -> None:
    secret = (await made(caller)).json["signing_secret"]
    to.answer = always(500)
    listening = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tidings", "listen", "dev", "--to", to.url("/hook"), "--json"),
        env={"TIDINGS_DATABASE_URL": settings.database_url, "TIDINGS_DELIVERY_DELAYS": "0,0.1,0.1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert listening.stdout is not None
    await say(caller, "a")
    failed = json.loads(await asyncio.wait_for(listening.stdout.readline(), PATIENCE))
    assert (failed["status"], failed["state"], failed["attempt"], failed["type"]) == (500, "due", 1, "tweet-bookmarked")
    to.answer = always(204)
    taken = json.loads(await asyncio.wait_for(listening.stdout.readline(), PATIENCE))
    assert (taken["status"], taken["state"], taken["attempt"]) == (204, "delivered", 2)
    first, second = to.got
    assert Webhook(secret).verify(second.body, dict(second.headers))["id"] == "a"
    assert (first.id, second.path) == (second.id, "/hook")
    listening.send_signal(signal.SIGINT)
    _, errors = await asyncio.wait_for(listening.communicate(), PATIENCE)
    assert (listening.returncode, errors) == (0, b"")
    tries = (await caller.get(f"/deliveries/{taken['delivery']}/attempts")).json["attempts"]
    assert [each["outcome"] for each in tries] == ["http-error", "delivered"]
