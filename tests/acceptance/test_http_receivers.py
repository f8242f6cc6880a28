"""Receivers over HTTP: what operators see, make, change, retire and replay, on a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import JSON, Caller, Reply, in_file, serving
from tests.acceptance.test_http_access import keyed
from tests.acceptance.webhooks import SECRET, Till, delivery, entries, send, signed

MASTER = "gUrTQbGcj6TbNkJNgiLUX1zbpaOHB6XDhSkS3jJoBQs="
BANK = {"preset": "stripe", "source": "/bank", "secrets": [SECRET]}


@pytest.fixture
def till() -> Till:
    return Till(expected_every=timedelta(hours=1))


@pytest.fixture
async def caller(till: Till, tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(till.app, replace(in_file(tmp_path), master_key=MASTER)) as caller:
        yield caller


async def ask(caller: Caller, method: str, target: str, members: Any = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = "" if members is None else json.dumps(members)
    return await caller.ask(method, target, {**(JSON if body else {}), **named}, body)


async def only_receipt(caller: Caller) -> Any:
    [found] = (await caller.get("/receivers/till/receipts")).json["receipts"]
    return found


async def test_a_declared_receiver_is_shown_without_what_is_secret(caller: Caller) -> None:
    await send(caller, delivery("evt_1"))
    await send(caller, delivery("evt_1"))
    shown = await caller.get("/receivers/till")
    assert SECRET.encode() not in shown.body
    found = shown.json
    assert (found["preset"], found["source"], found["secrets"], found["state"]) == ("stripe", "/till", 1, "active")
    assert "tests.acceptance.webhooks, line " in found["declared"]
    assert (found["expected_every_s"], found["silent"], found["version"]) == (3600.0, False, None)
    assert found["counts"] == {"stored": 1, "failed": 0, "conflict": 0, "dropped": 0, "repeats": 1}
    assert found["last_seen"] is not None
    listed = (await caller.get("/receivers")).json
    assert ([each["receiver"] for each in listed["receivers"]], listed["next"]) == (["till"], None)
    assert (await caller.get("/receivers/nobody")).problem == (404, "not-found")


async def test_a_declared_receiver_is_changed_where_it_is_declared(caller: Caller) -> None:
    for method, members in (("PUT", BANK), ("DELETE", None)):
        reply = await ask(caller, method, "/receivers/till", members, if_match="*")
        assert reply.problem == (409, "endpoint-state")
        assert "declared in tests.acceptance.webhooks, line " in reply.json["detail"]


async def test_receipts_are_listed_page_by_page_and_filtered(till: Till, caller: Caller) -> None:
    await send(caller, delivery("evt_1"))
    till.broken = True
    await send(caller, delivery("evt_2"))
    page = (await caller.get("/receivers/till/receipts?limit=1")).json
    rest = (await caller.get(f"/receivers/till/receipts?after={page['next']}")).json
    outcomes = [each["outcome"] for each in (*page["receipts"], *rest["receipts"])]
    assert (outcomes, rest["next"]) == (["failed", "stored"], None)
    assert "a mistake of ours" in page["receipts"][0]["error"]
    assert rest["receipts"][0]["events"] == [{"type": "order-paid", "id": "evt_1"}]
    stored = (await caller.get("/receivers/till/receipts?outcome=stored")).json["receipts"]
    assert stored == rest["receipts"]
    assert (await caller.get("/receivers/till/receipts?from=2020-01-01T00:00:00Z&outcome=failed")).json["receipts"]
    assert (await caller.get("/receivers/till/receipts?to=2020-01-01T00:00:00Z")).json["receipts"] == []
    for wrong in ("outcome=fine", "after=x", "from=soon", "colour=red", "limit=0"):
        assert (await caller.get(f"/receivers/till/receipts?{wrong}")).problem == (400, "malformed-request"), wrong
    assert (await caller.get("/receivers/nobody/receipts")).problem == (404, "not-found")


async def test_a_receipt_is_shown_with_masked_headers_and_its_bytes_verbatim(till: Till, caller: Caller) -> None:
    body = delivery("evt_1")
    await caller.ask("POST", "/hooks/till?token=hush", [*signed(body), ("cookie", "hush")], body)
    n = (await only_receipt(caller))["receipt"]
    shown = (await caller.get(f"/receivers/till/receipts/{n}")).json
    headers = {each["name"]: each["value"] for each in shown["headers"]}
    assert (shown["method"], shown["query"], headers["cookie"]) == ("POST", "token=***", "***")
    raw = await caller.get(f"/receivers/till/receipts/{n}/body")
    assert (raw.body, raw.headers["content-type"]) == (body, "application/octet-stream")
    assert (raw.headers["content-disposition"], raw.headers["x-content-type-options"]) == ("attachment", "nosniff")
    for target in (f"bank/receipts/{n}", "till/receipts/99", "till/receipts/x", f"till/receipts/{'9' * 30}"):
        assert (await caller.get(f"/receivers/{target}")).problem == (404, "not-found")
    await till.app.opened.store.forget_bodies(before=2**60, limit=9)
    assert (await caller.get(f"/receivers/till/receipts/{n}/body")).problem == (410, "receipt-pruned")
    pruned = (await caller.get(f"/receivers/till/receipts/{n}")).json
    assert (pruned["headers"], pruned["bytes"]) == (None, None)
    refused = await ask(caller, "POST", f"/receivers/till/receipts/{n}/replay", idempotency_key="k")
    assert refused.problem == (409, "cannot-replay")


async def test_what_failed_is_replayed_once_under_a_key(till: Till, caller: Caller) -> None:
    till.broken = True
    await send(caller, delivery("evt_1"))
    target = f"/receivers/till/receipts/{(await only_receipt(caller))['receipt']}/replay"
    assert (await ask(caller, "POST", target)).problem == (400, "idempotency-key-missing")
    still = await ask(caller, "POST", target, idempotency_key="a")
    assert (still.status, still.json["outcome"], still.json["events"]) == (202, "failed", [])
    till.broken = False
    first = await ask(caller, "POST", target, idempotency_key="b")
    assert first.json["events"] == [{"type": "order-paid", "id": "evt_1"}]
    again = await ask(caller, "POST", target, idempotency_key="b")
    assert (again.body, again.headers["idempotency-replayed"]) == (first.body, "true")
    assert [each["id"] for each in await entries(caller)] == ["evt_1"]
    new = await ask(caller, "POST", target, idempotency_key="c")
    assert [each["id"] for each in await entries(caller)] == ["evt_1", new.json["events"][0]["id"]]
    assert (await only_receipt(caller))["replays"] == 3
    whats = [each.what for each in await till.app.opened.store.audit()]
    assert whats == ["replay", "redrive", "redrive"]


async def test_a_replay_that_meets_another_event_of_its_id_changes_nothing(till: Till, caller: Caller) -> None:
    till.broken = True
    await send(caller, delivery("evt_1"))
    till.broken = False
    other = {"ce-type": "order-paid", "content-type": "application/json"}
    await caller.put("/events/%2Ftill/evt_1", other, '{"order":"o-1","amount":1}')
    found = await only_receipt(caller)
    reply = await ask(caller, "POST", f"/receivers/till/receipts/{found['receipt']}/replay", idempotency_key="k")
    assert reply.problem == (409, "event-conflict")
    assert await only_receipt(caller) == found


async def test_a_receiver_is_made_takes_webhooks_is_changed_and_retired(caller: Caller, tmp_path: Path) -> None:
    made = await ask(caller, "PUT", "/receivers/bank", BANK)
    assert (made.status, made.headers["location"], made.json["version"]) == (201, "/receivers/bank", 1)
    assert (await send(caller, delivery("evt_1"), to="/hooks/bank")).status == 202
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"/bank" in kept
    assert SECRET.encode() not in kept + made.body
    assert (await ask(caller, "PUT", "/receivers/bank", BANK)).problem == (428, "precondition-required")
    assert (await ask(caller, "PUT", "/receivers/bank", BANK, if_match='"x"')).problem == (412, "precondition-failed")
    assert (await ask(caller, "PUT", "/receivers/bank", BANK, if_none_match="*")).problem == (
        412,
        "precondition-failed",
    )
    seen = (await caller.get("/receivers/bank")).headers["etag"]
    assert seen == made.headers["etag"]
    said = {"preset": "stripe", "source": "/vault", "expected_every_s": 60}
    changed = await ask(caller, "PUT", "/receivers/bank", said, if_match=seen)
    assert (changed.status, changed.json["source"], changed.json["secrets"]) == (200, "/vault", 1)
    assert (await send(caller, delivery("evt_2"), to="/hooks/bank")).status == 202  # by the secret that was left out
    assert (await ask(caller, "DELETE", "/receivers/bank", if_match=seen)).problem == (412, "precondition-failed")
    assert (await ask(caller, "DELETE", "/receivers/bank")).problem == (428, "precondition-required")
    assert (await ask(caller, "DELETE", "/receivers/bank", if_match=changed.headers["etag"])).status == 204
    assert (await send(caller, delivery("evt_3"), to="/hooks/bank")).problem == (410, "receiver-retired")
    retired = await caller.get("/receivers/bank")
    assert (retired.json["state"], retired.json["counts"]["failed"] + retired.json["counts"]["stored"]) == (
        "retired",
        2,
    )
    back = await ask(caller, "PUT", "/receivers/bank", said, if_match=retired.headers["etag"])
    assert back.json["state"] == "active"
    assert (await ask(caller, "DELETE", "/receivers/nobody", if_match="*")).problem == (404, "not-found")


async def test_what_cannot_be_a_receiver_is_told_with_its_place(caller: Caller) -> None:
    for members, pointer in [
        ({}, "/preset"),
        ({**BANK, "preset": "strip"}, "/preset"),
        ({**BANK, "colour": 1}, "/colour"),
        ({**BANK, "source": 3}, "/source"),
        ({**BANK, "secrets": []}, ""),
        ({**BANK, "secrets": ["secret"]}, ""),
        ({**BANK, "expected_every_s": 0}, "/expected_every_s"),
        ({**BANK, "expected_every_s": 1e300}, "/expected_every_s"),
        ({**BANK, "public_url": "ftp://x"}, "/public_url"),
        ({**BANK, "settings": {"": "a"}, "secrets": None}, ""),
    ]:
        reply = await ask(caller, "PUT", "/receivers/bank", members)
        assert (reply.problem, reply.pointers) == ((422, "invalid-configuration"), [pointer]), members
        assert SECRET not in reply.body.decode()
    assert (await ask(caller, "PUT", "/receivers/A%2Fb", BANK)).problem == (422, "invalid-configuration")
    assert (await ask(caller, "PUT", "/receivers/bank", BANK, if_match='"x"')).problem == (412, "precondition-failed")


async def test_each_needs_its_scope(tmp_path: Path) -> None:
    async with keyed(tmp_path, "receivers:read") as (_, reader):
        assert (await reader.get("/receivers")).status == 200
        assert (await ask(reader, "PUT", "/receivers/bank", BANK)).problem == (403, "scope-missing")


async def test_a_receiver_whose_secrets_cannot_be_read_is_shown_as_such(tmp_path: Path) -> None:
    settings = replace(in_file(tmp_path), master_key=MASTER)
    async with serving(Till().app, settings) as caller:
        assert (await ask(caller, "PUT", "/receivers/bank", BANK)).status == 201
    async with serving(Till().app, replace(settings, master_key=None)) as caller:
        shown = await caller.get("/receivers/bank")
        assert (shown.json["state"], shown.json["secrets"]) == ("unreadable", 0)
        assert "TIDINGS_MASTER_KEY" in shown.json["reason"]
        assert (await send(caller, delivery("evt_1"), to="/hooks/bank")).problem == (503, "store-unavailable")
        whole = {**BANK, "settings": {}}
        assert (await ask(caller, "PUT", "/receivers/bank", whole, if_match=shown.headers["etag"])).status == 200
        assert (await send(caller, delivery("evt_1"), to="/hooks/bank")).status == 202
