"""Endpoints over HTTP, on a server that really sends to a receiver on this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from tests.acceptance.http_server import JSON, Caller, Reply, in_file, program, serving
from tests.acceptance.test_http_access import keyed

PUBLIC = {"url": "https://example.com/hooks"}
MASTER = "gUrTQbGcj6TbNkJNgiLUX1zbpaOHB6XDhSkS3jJoBQs="
OTHER_MASTER = "rkSKyGxOjk3sZFcpcI70GHOuecbf+E7/czYJiUh/COU="


class Partner:
    """A receiver that keeps what comes, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=self.status, text="<b>taken</b>")

    async def has(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        while len(self.got) < count:
            await asyncio.sleep(0.02)
        return self.got


@pytest.fixture
async def partner() -> AsyncIterator[tuple[Partner, str]]:
    made, app = Partner(), web.Application()
    app.router.add_post("/in", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}/in"
    with suppress(TimeoutError):
        await asyncio.wait_for(runner.cleanup(), 5)


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    settings = replace(
        in_file(tmp_path), delivery_http="on", delivery_subnets="127.0.0.0/8", delivery_delays="0,0", master_key=MASTER
    )
    async with serving(program(), settings) as started:
        yield started


async def ask(caller: Caller, method: str, target: str, members: Any = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = "" if members is None else json.dumps(members)
    return await caller.ask(method, target, {**(JSON if body else {}), **named}, body)


async def made(caller: Caller, id: str = "crm", **members: Any) -> Reply:
    reply = await ask(caller, "PUT", f"/endpoints/{id}", {**PUBLIC, **members})
    assert reply.status == 201, reply.json
    return reply


async def test_an_endpoint_is_made_shown_listed_and_removed(caller: Caller) -> None:
    reply = await ask(
        caller, "POST", "/endpoints", {**PUBLIC, "pattern": {"type": ["a"]}, "headers": {"x-key": "hush"}}
    )
    id = reply.json["endpoint"]
    assert (reply.status, reply.headers["location"]) == (201, f"/endpoints/{id}")
    shown = await caller.get(f"/endpoints/{id}")
    assert shown.headers["etag"] == reply.headers["etag"]
    assert shown.json == {k: v for k, v in reply.json.items() if k not in ("signing_secret", "public_key")}
    assert (shown.json["header_names"], shown.json["state"]) == (["x-key"], "active")
    assert b"hush" not in shown.body
    await made(caller, "zzz")
    assert [each["endpoint"] for each in (await caller.get("/endpoints")).json["endpoints"]] == [id, "zzz"]
    page = (await caller.get("/endpoints?limit=1")).json
    assert (page["next"], (await caller.get(f"/endpoints?after={id}")).json["endpoints"][0]["endpoint"]) == (id, "zzz")
    assert (await ask(caller, "DELETE", f"/endpoints/{id}", if_match=shown.headers["etag"])).status == 204
    assert (await caller.get(f"/endpoints/{id}")).problem == (404, "not-found")


async def test_a_secret_is_shown_once_and_kept_sealed_also_where_answers_are(caller: Caller, tmp_path: Path) -> None:
    first = await ask(caller, "POST", "/endpoints", PUBLIC, idempotency_key="k1")
    again = await ask(caller, "POST", "/endpoints", PUBLIC, idempotency_key="k1")
    assert (again.body, again.headers["idempotency-replayed"]) == (first.body, "true")
    assert len((await caller.get("/endpoints")).json["endpoints"]) == 1
    secret = first.json["signing_secret"]
    assert secret.startswith("whsec_")
    assert secret not in (await caller.get("/endpoints")).body.decode()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"POST /endpoints" in kept
    assert secret.removeprefix("whsec_").encode() not in kept


async def test_who_changes_it_has_seen_it(caller: Caller) -> None:
    tag = (await made(caller, headers={"x-a": "b"}, rate=6)).headers["etag"]
    assert (await ask(caller, "PATCH", "/endpoints/crm", {"slots": 9})).problem == (428, "precondition-required")
    assert (await ask(caller, "PATCH", "/endpoints/crm", {"slots": 9}, if_match='"x"')).problem == (
        412,
        "precondition-failed",
    )
    changed = await ask(caller, "PATCH", "/endpoints/crm", {"slots": 9, "rate": None}, if_match=tag)
    assert (changed.status, changed.json["slots"], changed.json["rate"]) == (200, 9, None)
    assert (changed.json["header_names"], changed.json["version"]) == (["x-a"], 2)
    assert changed.headers["etag"] != tag
    for method, body in (("PATCH", {"slots": 1}), ("PUT", PUBLIC), ("DELETE", None)):
        assert (await ask(caller, method, "/endpoints/crm", body, if_match=tag)).problem == (412, "precondition-failed")
        assert (await ask(caller, method, "/endpoints/crm", body)).problem == (428, "precondition-required")
    whole = await ask(caller, "PUT", "/endpoints/crm", PUBLIC, if_match=changed.headers["etag"])
    assert (whole.status, whole.json["slots"], whole.json["header_names"]) == (200, 4, [])
    assert (await ask(caller, "DELETE", "/endpoints/crm", if_match="*")).status == 204


async def test_an_endpoint_is_made_under_an_id_only_where_there_is_none(caller: Caller) -> None:
    assert (await ask(caller, "PUT", "/endpoints/crm", PUBLIC, if_match='"x"')).problem == (412, "precondition-failed")
    await made(caller)
    assert (await ask(caller, "PUT", "/endpoints/crm", PUBLIC, if_none_match="*")).problem == (
        412,
        "precondition-failed",
    )
    assert (await ask(caller, "PUT", "/endpoints/a%2Fb", PUBLIC)).problem == (422, "invalid-configuration")


async def test_what_cannot_be_an_endpoint_is_told_with_its_place(caller: Caller) -> None:
    for members, problem, pointers in [
        ({}, "invalid-configuration", ["/url"]),
        ({**PUBLIC, "slot": 1}, "invalid-configuration", ["/slot"]),
        ({**PUBLIC, "slots": 0, "rate": "x"}, "invalid-configuration", ["/slots", "/rate"]),
        ({"url": "https://10.1.2.3/"}, "endpoint-refused", ["/url"]),
        ({"url": "ftp://example.com/"}, "endpoint-refused", ["/url"]),
        ({**PUBLIC, "pattern": {"type": []}}, "invalid-pattern", ["/pattern/type"]),
        ({**PUBLIC, "pattern": {"type": []}, "slots": 0}, "invalid-configuration", ["/slots", "/pattern/type"]),
        ({**PUBLIC, "secret": "whsec_AAAA"}, "invalid-configuration", ["/secret"]),
        ({**PUBLIC, "secret": 5}, "invalid-configuration", ["/secret"]),
        ({**PUBLIC, "kind": "rsa"}, "invalid-configuration", ["/kind"]),
        ([], "invalid-configuration", [""]),
    ]:
        reply = await ask(caller, "POST", "/endpoints", members)
        assert (reply.problem, reply.pointers) == ((422, problem), pointers), members
    assert (await caller.get("/endpoints")).json["endpoints"] == []


async def test_what_is_wrong_with_the_pattern_of_an_endpoint_has_its_code(caller: Caller) -> None:
    for pattern, code in [
        ({"type": []}, "empty-array"),
        ({"type": "a"}, "leaf-not-array"),
        ({"data": {"a": [{"numeric": [">", 2, "<", 1]}]}}, "bad-range"),
    ]:
        reply = await ask(caller, "POST", "/endpoints", {**PUBLIC, "pattern": pattern})
        assert (reply.problem, reply.json.get("code")) == ((422, "invalid-pattern"), code)
    made_now = await made(caller)
    changed = await ask(caller, "PATCH", "/endpoints/crm", {"pattern": {"a": [{}]}}, if_match=made_now.headers["etag"])
    assert (changed.problem, changed.json.get("code")) == ((422, "invalid-pattern"), "empty-object")


async def test_secrets_follow_each_other_and_the_last_one_stays(caller: Caller) -> None:
    first = (await made(caller)).json["secrets"][0]["secret"]
    target = "/endpoints/crm/secrets"
    assert (await ask(caller, "POST", target, {})).problem == (400, "idempotency-key-missing")
    second = await ask(caller, "POST", target, {"kind": "ed25519", "grace_s": 60}, idempotency_key="1")
    assert (second.status, second.json["public_key"][:5]) == (201, "whpk_")
    ids = [each["secret"] for each in (await caller.get("/endpoints/crm")).json["secrets"]]
    assert ids == [second.json["secret"], first]
    assert (await ask(caller, "DELETE", f"{target}/{ids[0]}")).problem == (409, "endpoint-state")
    assert (await ask(caller, "DELETE", f"{target}/{first}")).status == 204
    assert (await ask(caller, "DELETE", f"{target}/{first}")).problem == (404, "not-found")
    assert (await ask(caller, "POST", target, {"grace_s": -1}, idempotency_key="2")).problem[0] == 422
    for n in range(4):
        assert (await ask(caller, "POST", target, {}, idempotency_key=f"n{n}")).status == 201
    assert (await ask(caller, "POST", target, {}, idempotency_key="n9")).problem == (409, "too-many-secrets")


async def test_a_test_event_arrives_signed_with_the_secret_that_was_shown(
    caller: Caller, partner: tuple[Partner, str]
) -> None:
    receiver, url = partner
    secret = (await made(caller, url=url)).json["signing_secret"]
    sent = await ask(caller, "POST", "/endpoints/crm/test", {}, idempotency_key="t")
    assert sent.status == 202
    [(headers, body)] = await receiver.has(1)
    Webhook(secret).verify(body, headers)
    assert json.loads(body)["type"] == "endpoint.test"
    delivery = f"/deliveries/{sent.json['delivery']}"
    while (shown := (await caller.get(delivery)).json)["state"] != "delivered":
        await asyncio.sleep(0.02)
    assert shown["endpoint"] == "crm"
    assert (await ask(caller, "POST", "/endpoints/crm/test", {})).problem == (400, "idempotency-key-missing")
    assert (await ask(caller, "POST", "/endpoints/nix/test", {}, idempotency_key="u")).problem == (404, "not-found")


async def test_a_paused_one_holds_and_a_resumed_one_sends(caller: Caller, partner: tuple[Partner, str]) -> None:
    receiver, url = partner
    await made(caller, url=url)
    paused = await ask(caller, "POST", "/endpoints/crm/pause", {"reason": "they move"})
    assert (paused.json["state"], paused.json["reason"]) == ("paused", "they move")
    assert (await ask(caller, "POST", "/endpoints/crm/test", {}, idempotency_key="t")).problem == (
        409,
        "endpoint-state",
    )
    await caller.bookmark("1")
    while not (await caller.get("/deliveries?endpoint=crm&state=held")).json["deliveries"]:
        await asyncio.sleep(0.02)
    assert receiver.got == []
    assert (await ask(caller, "POST", "/endpoints/crm/resume", {})).json["state"] == "active"
    assert json.loads((await receiver.has(1))[0][1])["id"] == "1"
    assert (await ask(caller, "POST", "/endpoints/crm/resume", {})).problem == (409, "endpoint-state")
    assert (await ask(caller, "POST", "/endpoints/crm/pause", {"reason": "x" * 501})).pointers == ["/reason"]


async def test_what_died_is_recovered_once_for_a_key(caller: Caller, partner: tuple[Partner, str]) -> None:
    receiver, url = partner
    await made(caller, url=url)
    receiver.status = 500
    await caller.bookmark("1")
    while not (await caller.get("/deliveries?endpoint=crm&state=dead")).json["deliveries"]:
        await asyncio.sleep(0.02)
    target = "/endpoints/crm/recover"
    dry = await ask(caller, "POST", target, {"dry_run": True}, idempotency_key="d")
    assert (dry.status, dry.json["deliveries"]) == (200, 1)
    receiver.status = 200
    done = await ask(caller, "POST", target, {}, idempotency_key="r")
    assert (done.status, done.json["deliveries"]) == (202, 1)
    again = await ask(caller, "POST", target, {}, idempotency_key="r")
    assert (again.body, again.headers["idempotency-replayed"]) == (done.body, "true")
    await receiver.has(3)
    while not (await caller.get("/deliveries?endpoint=crm&state=delivered")).json["deliveries"]:
        await asyncio.sleep(0.02)
    token = done.json["to"]
    empty = await ask(caller, "POST", target, {"after": token, "to": done.json["after"]}, idempotency_key="e")
    assert (empty.problem, empty.pointers) == ((422, "invalid-configuration"), ["/to"])
    assert (await ask(caller, "POST", target, {"after": "x"}, idempotency_key="f")).problem == (400, "invalid-position")


async def test_entries_of_the_log_are_sent_again_in_a_run_of_their_own(
    caller: Caller, partner: tuple[Partner, str]
) -> None:
    receiver, url = partner
    for n in "123":
        await caller.bookmark(n)
    await made(caller, url=url)
    target = "/endpoints/crm/replay"
    asked = {"types": ["tweet-bookmarked"], "missing_only": True}
    dry = await ask(caller, "POST", target, {**asked, "dry_run": True}, idempotency_key="d")
    assert (dry.status, dry.json["deliveries"], dry.json["run"]) == (200, 3, None)
    done = await ask(caller, "POST", target, asked, idempotency_key="r")
    assert (done.status, done.json["deliveries"]) == (202, 3)
    assert sorted(json.loads(body)["id"] for _, body in await receiver.has(3)) == ["1", "2", "3"]
    while len((await caller.get("/deliveries?endpoint=crm&state=delivered")).json["deliveries"]) < 3:
        await asyncio.sleep(0.02)
    assert (await ask(caller, "POST", target, asked, idempotency_key="s")).json["deliveries"] == 0
    anew = await ask(caller, "POST", target, {"new_id": True, "subject": "20"}, idempotency_key="n")
    assert anew.json["deliveries"] == 3
    ids = [headers["webhook-id"] for headers, _ in await receiver.has(6)]
    assert len(set(ids)) == 6


async def test_endpoints_are_for_who_has_their_scopes(tmp_path: Path) -> None:
    async with keyed(tmp_path, "endpoints:read") as (all_of_it, reader):
        assert (await reader.ask("PUT", "/endpoints/a", JSON, json.dumps(PUBLIC))).problem == (403, "scope-missing")
        assert (await all_of_it.ask("PUT", "/endpoints/a", JSON, json.dumps(PUBLIC))).status == 201
        assert (await reader.get("/endpoints")).status == 200
    async with keyed(tmp_path, "endpoints:write") as (_, writer):
        assert (await writer.get("/endpoints")).problem == (403, "scope-missing")


async def test_a_legacy_signature_is_asked_for_shown_without_its_secret_and_taken_out(
    caller: Caller, tmp_path: Path
) -> None:
    asked = {"preset": "github", "header": "X-Shop-Signature", "secret": "hush-hush"}
    reply = await made(caller, legacy=asked)
    shown = {"preset": "github", "header": "X-Shop-Signature", "prefix": None}
    assert reply.json["legacy"] == shown
    assert (await caller.get("/endpoints/crm")).json["legacy"] == shown
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"X-Shop-Signature" in kept
    assert b"hush-hush" not in kept
    # What was read can be written back: the secret stays.
    same = await ask(caller, "PUT", "/endpoints/crm", {**PUBLIC, "legacy": shown}, if_match=reply.headers["etag"])
    assert (same.status, same.json["legacy"]) == (200, shown)
    gone = await ask(caller, "PATCH", "/endpoints/crm", {"legacy": None}, if_match=same.headers["etag"])
    assert (gone.status, gone.json["legacy"]) == (200, None)
    wrong = {"preset": "twilio", "header": "Host", "secret": ""}
    refused = await ask(caller, "PATCH", "/endpoints/crm", {"legacy": wrong}, if_match=gone.headers["etag"])
    assert refused.problem == (422, "invalid-configuration")
    assert [each["pointer"] for each in refused.json["errors"]] == [
        "/legacy/preset", "/legacy/header", "/legacy/secret"
    ]  # fmt: skip


async def test_an_answer_with_a_secret_that_cannot_be_read_any_more_says_what_to_do(tmp_path: Path) -> None:
    settings, target = replace(in_file(tmp_path), master_key=MASTER), "/endpoints/crm/secrets"
    async with serving(program(), settings) as caller:
        await made(caller)
        first = await ask(caller, "POST", target, {}, idempotency_key="once")
        assert first.status == 201
    async with serving(program(), replace(settings, master_key=OTHER_MASTER)) as caller:
        again = await ask(caller, "POST", target, {}, idempotency_key="once")
        assert again.problem == (409, "endpoint-state"), again.body
        assert "TIDINGS_MASTER_KEY" in again.json["detail"]
        assert "another Idempotency-Key" in again.json["detail"]
        assert "DELETE /endpoints/{endpoint}/secrets/{secret} for each older one" in again.json["detail"]
        anew = await ask(caller, "POST", target, {"kind": "hmac", "grace_s": 0}, idempotency_key="anew")
        assert anew.status == 201
        newest, *older = (await caller.get("/endpoints/crm")).json["secrets"]
        assert older, "the one before that of the repeated request signs on"
        for each in older:
            assert (await ask(caller, "DELETE", f"{target}/{each['secret']}")).status in (200, 204)
        assert (await caller.get("/endpoints/crm")).json["secrets"] == [newest]
    async with serving(program(), replace(settings, master_key=f"{OTHER_MASTER},{MASTER}")) as caller:
        assert (await ask(caller, "POST", target, {}, idempotency_key="once")).body == first.body
