"""Webhooks in over HTTP, as a provider and a stranger see them."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import JSON, Caller, in_file, serving
from tests.acceptance.webhooks import STRIPE, OrderPaid, Till, delivery, entries, send, signed
from tidings import Settings
from tidings.app import Opened
from tidings.app.receiving import trying_of
from tidings.errors import StoreUnavailableError
from tidings.operations.receiver_trial import Request
from tidings.webhooks.receive.places import Member, Query
from tidings.webhooks.receive.preset import Preset
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.scheme import Scheme

PATIENCE = 60
UNSIGNED = Scheme(algorithm="unsigned", tolerance=None)


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
async def caller(till: Till, tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(till.app, in_file(tmp_path)) as caller:
        yield caller


def opened(till: Till) -> Opened:
    return till.app.opened


async def receipts(till: Till) -> list[tuple[str, int]]:
    """Return what became of each kept request and how often it came, oldest first."""
    return [(each.outcome, each.seen) for each in reversed(await opened(till).store.receipts())]


async def test_a_delivery_becomes_an_event_under_its_own_id(till: Till, caller: Caller) -> None:
    reply = await send(caller, delivery("evt_1"))
    assert (reply.status, reply.body) == (202, b"")
    [event] = await entries(caller)
    assert (event["id"], event["source"], event["type"], event["subject"]) == ("evt_1", "/till", "order-paid", "o-1")
    assert event["time"] == "2023-11-14T22:13:20.000000Z"
    assert event["data"] == {"order": "o-1", "amount": 5}


async def test_a_repeat_is_answered_and_adds_nothing(till: Till, caller: Caller) -> None:
    assert [(await send(caller, delivery("evt_1"))).status for _ in range(3)] == [202, 200, 200]
    assert len(await entries(caller)) == 1
    assert await receipts(till) == [("stored", 3)]


async def test_what_is_volatile_makes_no_conflict(till: Till, caller: Caller) -> None:
    bodies = [delivery("evt_1", pending_webhooks=n) for n in (2, 1)]
    assert [(await send(caller, body)).status for body in bodies] == [202, 200]


async def test_the_same_id_with_other_content_is_kept_as_a_conflict_and_told(till: Till, caller: Caller) -> None:
    await send(caller, delivery("evt_1", amount=5))
    assert (await send(caller, delivery("evt_1", amount=6))).status == 200
    assert await receipts(till) == [("stored", 1), ("conflict", 1)]
    await opened(till).alarms.look()
    said, told = await entries(caller)
    assert said["data"]["amount"] == 5
    assert (told["source"], told["type"], told["subject"]) == ("tidings", "receiver.conflict", "till")


async def test_an_event_that_somebody_else_published_under_the_id_is_a_conflict(till: Till, caller: Caller) -> None:
    other = {"ce-type": "order-paid", "content-type": "application/json"}
    await caller.put("/events/%2Ftill/evt_1", other, '{"order":"o-1","amount":1}')
    bodies = [delivery(f"evt_{n}") for n in range(5)]
    assert [reply.status for reply in await asyncio.gather(*(send(caller, body) for body in bodies))].count(202) == 4
    assert sorted(await receipts(till)) == [("conflict", 1), *[("stored", 1)] * 4]


@pytest.mark.parametrize("id", ["Till", "til", "tills", "till%2F", "%74ill", "till/x", ""])
async def test_receiver_lookup_is_exact(till: Till, caller: Caller, id: str) -> None:
    body = delivery("evt_1")
    assert (await caller.ask("POST", f"/hooks/{id}", signed(body), body)).status == 404


async def test_whoever_is_not_the_sender_gets_one_answer_for_every_reason(till: Till, caller: Caller) -> None:
    body, old = delivery("evt_1"), datetime.now(UTC) - timedelta(hours=1)
    refused = [
        await send(caller, body, secret="whsec_another-secret-altogether"),
        await send(caller, body, at=old),
        await send(caller, body, at=datetime.now(UTC) + timedelta(hours=1)),
        await caller.ask("POST", "/hooks/till", {"content-type": "application/json"}, body),
        await caller.ask("POST", "/hooks/till", signed(delivery("evt_2")), body),
    ]
    assert {(reply.status, reply.body) for reply in refused} == {(401, refused[0].body)}
    assert await receipts(till) == []
    assert await entries(caller) == []


async def test_reading_never_begins_for_an_unknown_receiver(till: Till, caller: Caller) -> None:
    head = b"POST /hooks/nobody HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\n"
    assert b" 404 " in await first_line(caller, head)


async def test_a_length_beyond_every_limit_is_refused_before_anything_else(till: Till, caller: Caller) -> None:
    head = b"POST /hooks/nobody HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 26214401\r\n\r\n"
    assert b" 413 " in await first_line(caller, head)


async def test_oversized_chunked_body_is_413_not_cut(till: Till, caller: Caller) -> None:
    body = delivery("evt_1", more="x" * STRIPE.body_limit)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    assert (await caller.ask("POST", "/hooks/till", signed(body), pieces())).status == 413
    assert await receipts(till) == []


async def test_a_coding_or_another_media_type_is_415(till: Till, caller: Caller) -> None:
    body = delivery("evt_1")
    coded = [*signed(body), ("content-encoding", "gzip")]
    assert (await caller.ask("POST", "/hooks/till", coded, gzip.compress(body))).status == 415
    others = [(name, "text/plain" if name == "content-type" else value) for name, value in signed(body)]
    assert (await caller.ask("POST", "/hooks/till", others, body)).status == 415


async def test_another_method_is_told_which_there_is(till: Till, caller: Caller) -> None:
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        reply = await caller.ask(method, "/hooks/till")
        assert (reply.status, reply.headers["allow"]) == (405, "POST")


async def test_a_retired_receiver_says_so(till: Till, caller: Caller) -> None:
    till.receiver.is_retired = True
    assert (await send(caller, delivery("evt_1"))).status == 410


async def test_concurrent_duplicates_make_one_event(till: Till, caller: Caller) -> None:
    body = delivery("evt_1")
    statuses = [reply.status for reply in await asyncio.gather(*(send(caller, body) for _ in range(20)))]
    assert sorted(statuses) == [200] * 19 + [202]
    assert len(await entries(caller)) == 1
    assert await receipts(till) == [("stored", 20)]


async def test_what_cannot_be_translated_is_answered_and_kept_as_failed(till: Till, caller: Caller) -> None:
    till.broken = True
    unknown = delivery("evt_2").replace(b"order.paid", b"order.lost")
    assert [(await send(caller, body)).status for body in (delivery("evt_1"), unknown, b"no json")] == [202] * 3
    assert await receipts(till) == [("failed", 1)] * 3
    errors = [each.error or "" for each in reversed(await opened(till).store.receipts(outcome="failed"))]
    assert "a mistake of ours" in errors[0]
    assert "stripe.order.lost" in errors[1]
    assert await entries(caller) == []


class Unspeakable(Exception):
    """What cannot even be said."""

    def __str__(self) -> str:
        raise RuntimeError("its author was in a hurry")


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (ValueError("\x00\ud800"), "ValueError: \\x00\\ud800"),
        (Unspeakable(), "Unspeakable: its message cannot be read (RuntimeError)"),
    ],
)
async def test_whatever_a_translation_raises_is_kept_and_answered(
    till: Till, caller: Caller, mistake: Exception, said: str
) -> None:
    till.broken = mistake
    assert (await send(caller, delivery("evt_1"))).status == 202
    [receipt] = await opened(till).store.receipts()
    assert (receipt.outcome, receipt.error) == ("failed", said)


async def test_duplicate_wakes_unfinished_and_dead_work(till: Till, caller: Caller) -> None:
    till.broken = True
    await send(caller, delivery("evt_1"))
    till.broken = False
    assert (await send(caller, delivery("evt_1"))).status == 202
    assert await receipts(till) == [("stored", 2)]
    await until(lambda: till.handled == ["o-1"])

    till.failing = True
    await send(caller, delivery("evt_2", order="o-2"))
    store = opened(till).store
    async with asyncio.timeout(PATIENCE):
        while not (parked := await store.parked("orders")):
            await asyncio.sleep(0.01)
    await store.schedule_redrive("orders", parked[0].subject, at=2**60)  # as good as dead
    till.failing = False
    assert (await send(caller, delivery("evt_2", order="o-2"))).status == 200
    await until(lambda: till.handled == ["o-1", "o-2"])


async def test_503_does_not_burn_the_replay_guard(till: Till, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    body = delivery("evt_1")

    def gone(*claims: Any) -> Any:
        raise StoreUnavailableError("away")

    with monkeypatch.context() as away:
        away.setattr(opened(till).store, "unit", gone)
        reply = await send(caller, body)
        assert (reply.status, "retry-after" in reply.headers) == (503, True)
    assert (await send(caller, body)).status == 202
    assert len(await entries(caller)) == 1


async def test_2xx_only_after_commit(till: Till, caller: Caller) -> None:
    async with opened(till).store.unit() as unit:
        await unit.remember("orders", "held", 0)  # on SQLite nobody else writes meanwhile
        asked = asyncio.create_task(send(caller, delivery("evt_1")))
        done, _ = await asyncio.wait((asked,), timeout=0.3)
        assert not done
    assert (await asked).status == 202


async def test_a_wait_of_more_than_two_seconds_is_503(till: Till, caller: Caller) -> None:
    async with opened(till).store.unit() as unit:
        await unit.remember("orders", "held", 0)
        assert (await send(caller, delivery("evt_1"))).status == 503
    assert (await send(caller, delivery("evt_1"))).status in (200, 202)
    assert len(await entries(caller)) == 1


async def test_no_fan_out_inside_the_request(till: Till, caller: Caller) -> None:
    opened(till).stopping.set()  # nothing is carried any more
    assert (await send(caller, delivery("evt_1"))).status == 202
    assert till.handled == []


async def test_update_before_create_ends_right(till: Till, caller: Caller) -> None:
    await send(caller, delivery("evt_2", amount=9, created=1_700_000_200))
    await send(caller, delivery("evt_1", amount=1, created=1_700_000_100))
    async with asyncio.timeout(PATIENCE):
        while len(till.handled) < 2:
            await asyncio.sleep(0.01)
    last = (await caller.get("/events?limit=10")).json["next"]
    row = await caller.get("/views/orders/paid/o-1", **{"tidings-min-position": last, "prefer": "wait=5"})
    assert row.json["row"]["amount"] == 9


async def test_an_event_is_kept_with_the_trace_that_its_webhook_came_in(till: Till, caller: Caller) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = delivery("evt_1")
    await caller.post([*signed(body), ("traceparent", parent)], body, "/hooks/till")
    [entry] = await entries(caller)
    assert entry["traceparent"] == parent


async def test_handshakes_are_answered_without_a_receipt(tmp_path: Path) -> None:
    till = Till()
    till.app.receiver("meta", PRESETS["meta"], secrets=("a-secret-of-meta",), source="/meta").setting(verify_token="tk")
    async with serving(till.app, in_file(tmp_path)) as caller:
        asked = "/hooks/meta?hub.mode=subscribe&hub.challenge=42&hub.verify_token="
        reply = await caller.get(asked + "tk")
        assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"42", "text/plain; charset=utf-8")
        assert (await caller.get(asked + "other")).status == 401
        assert await receipts(till) == []


async def test_credentials_are_masked_in_receipts(tmp_path: Path) -> None:
    till = Till()
    till.app.receiver("lab", PRESETS["gitlab"], secrets=("a-token-of-ours",), source="/lab")
    async with serving(till.app, in_file(tmp_path)) as caller:
        headers = {"x-gitlab-token": "a-token-of-ours", "content-type": "application/json", "cookie": "c"}
        assert (await caller.ask("POST", "/hooks/lab?token=t&x=1", headers, b'{"object_kind":"push"}')).status < 300
        [receipt] = await opened(till).store.receipts()
        stored = await opened(till).store.stored_receipt(receipt.n)
        assert stored is not None
        assert (b"a-token-of-ours" in stored.headers, (b"cookie", b"***") in stored.pairs) == (False, True)
        assert stored.query == b"token=***&x=1"


@pytest.mark.parametrize(
    ("name", "written"), [("apiKey", "apiKey"), ("apiKey", "api%4Bey"), ("a key", "a+key"), ("a key", "a%20key")]
)
async def test_a_secret_in_the_query_is_masked_however_its_name_is_written(
    tmp_path: Path, name: str, written: str
) -> None:
    till = Till()
    token = Scheme(algorithm="token", signature=Query(name), encoding="none", signed=(), tolerance=None)
    till.app.receiver("lab", token, secrets=("a-token-of-ours",), source="/lab")
    async with serving(till.app, in_file(tmp_path)) as caller:
        assert (await caller.ask("POST", f"/hooks/lab?{written}=a-token-of-ours", JSON, b"{}")).status == 202
        [receipt] = await opened(till).store.receipts()
        stored = await opened(till).store.stored_receipt(receipt.n)
        assert stored is not None
        assert stored.query == f"{written}=***".encode()


async def test_what_becomes_of_webhooks_is_counted(till: Till, caller: Caller) -> None:
    await send(caller, delivery("evt_1"))
    await send(caller, delivery("evt_1"))
    await send(caller, delivery("evt_1", amount=7))
    await send(caller, delivery("evt_2"), secret="whsec_another-secret-altogether")
    text = (await caller.get("/metrics")).body.decode()
    for outcome in ("stored", "duplicate", "conflict", "rejected"):
        assert f'tidings_receive_total{{outcome="{outcome}",receiver="till"}} 1.0' in text


async def test_no_key_is_asked_for_and_a_forwarded_request_is_taken(till: Till, caller: Caller) -> None:
    body = delivery("evt_1")
    headers = [*signed(body), ("x-forwarded-for", "203.0.113.9"), ("origin", "https://elsewhere.example")]
    assert (await caller.ask("POST", "/hooks/till", headers, body)).status == 202


async def first_line(caller: Caller, head: bytes) -> bytes:
    """Send a head whose body never comes, and return the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(caller.url.rpartition(":")[2]))
    writer.write(head)
    async with asyncio.timeout(PATIENCE):
        line = await reader.readline()
    writer.close()
    return line


async def until(holds: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.01)


def batch(*items: tuple[str, int]) -> bytes:
    return json.dumps([{"id": id, "type": "paid", "order": "o-1", "amount": amount} for id, amount in items]).encode()


async def test_of_a_batch_in_conflict_the_rest_is_appended(settings: Settings) -> None:
    many = Preset(name="many", schemes=(UNSIGNED,), dedupe=Member("/id"), type=(Member("/type"),), split=("",))
    till = Till(preset=many)
    till.receiver.translate("paid")(lambda item: OrderPaid(item.payload["order"], item.payload["amount"]))
    async with serving(till.app, settings) as caller:
        other = {"ce-type": "order-paid", **JSON}
        await caller.put("/events/%2Ftill/b", other, '{"order":"o-1","amount":1}')
        for body, status in (
            (batch(("a", 5)), 202),
            (batch(("a", 6), ("b", 6), ("c", 5), ("d", 5), ("d", 6), ("c", 5)), 200),
            (batch(("c", 5)), 200),
        ):
            request = Request(headers=((b"content-type", b"application/json"),), body=body)
            tried = await trying_of(opened(till)).look(till.receiver, request, at=0)
            before = (await opened(till).log.head()).position
            assert (await caller.ask("POST", "/hooks/till", JSON, body)).status == status == tried.status
            assert (await opened(till).log.head()).position - before == tried.new
        assert [(event["id"], event["data"]["amount"]) for event in await entries(caller, type="order-paid")] == [
            *(("b", 1), ("a", 5), ("c", 5), ("d", 5))
        ]
        assert await receipts(till) == [("stored", 1), ("conflict", 2)]
