"""Dead letters of the three kinds over HTTP: one list, read page by page, redriven and dropped alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import JSON, Caller, Reply, in_file, serving
from tests.acceptance.test_http_operating import act
from tests.acceptance.webhooks import Till, delivery, entries, send
from tests.unit.webhooks.deliver.desk import PATIENCE, Sink, always, sink


@pytest.fixture
async def to() -> AsyncIterator[Sink]:
    async with sink() as made:
        yield made


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
async def caller(till: Till, tmp_path: Path) -> AsyncIterator[Caller]:
    settings = replace(in_file(tmp_path), delivery_http="on", delivery_subnets="127.0.0.0/8", delivery_delays="0")
    async with serving(till.app, settings) as started:
        yield started


async def listed(caller: Caller, query: str = "") -> list[Any]:
    reply = await caller.get(f"/dead-letters{query}")
    assert reply.status == 200, reply.json
    found: list[Any] = reply.json["dead_letters"]
    return found


def still(letter: Any) -> dict[str, Any]:
    """Return what of a letter stays as it is while its handler is tried again."""
    return {name: value for name, value in letter.items() if name not in ("attempts", "next_at")}


async def until(caller: Caller, count: int) -> list[Any]:
    async with asyncio.timeout(PATIENCE):
        while len(found := await listed(caller)) != count:
            await asyncio.sleep(0.02)
    return found


async def fail(till: Till, caller: Caller, to: Sink) -> dict[str, Any]:
    """Have one of each kind fail, and return them by their kinds."""
    to.answer = always(500)
    made = await caller.ask("PUT", "/endpoints/crm", JSON, b'{"url": "%b", "ordering": "key"}' % to.url().encode())
    assert made.status == 201, made.json
    till.failing = True
    assert (await send(caller, delivery("evt_1"))).status == 202
    till.broken = True
    assert (await send(caller, delivery("evt_2"))).status == 202
    return {each["kind"]: each for each in await until(caller, 3)}


async def test_what_failed_of_every_kind_is_one_list_with_the_same_members(
    till: Till, caller: Caller, to: Sink
) -> None:
    found = await fail(till, caller, to)
    assert len({tuple(sorted(each)) for each in found.values()}) == 1
    handler, sent, receipt = found["handler"], found["delivery"], found["receipt"]
    assert (sent["dead_letter"], sent["endpoint"], sent["consumer"]) == ("delivery:crm:1", "crm", None)
    assert (sent["reason"], sent["attempts"], sent["type"], sent["id"]) == ("exhausted", 1, "order-paid", "evt_1")
    assert (receipt["dead_letter"], receipt["receiver"]) == ("receipt:till:2", "till")
    assert (receipt["reason"], receipt["error"]) == ("translation-failed", "Broken: a mistake of ours")
    assert (handler["consumer"], handler["endpoint"]) == ("orders", None)
    for kind, each in found.items():
        assert [still(one) for one in await listed(caller, f"?kind={kind}")] == [still(each)]
        shown = (await caller.get(f"/dead-letters/{each['dead_letter']}")).json
        assert {name: shown[name] for name in still(each)} == still(each)
        assert shown["subject_letters"] == [each["dead_letter"]]
        assert (shown["event"] is None) == (kind == "receipt")
    for query in ("?endpoint=crm", "?receiver=till", "?consumer=orders", "?reason=translation-failed"):
        assert len(await listed(caller, query)) == 1
    assert (await caller.get("/dead-letters?kind=webhook")).problem == (400, "malformed-request")
    names, after = list[str](), ""
    while after is not None:
        page = (await caller.get(f"/dead-letters?limit=1{after and '&after=' + after}")).json
        names += [each["dead_letter"] for each in page["dead_letters"]]
        after = page["next"]
    assert names == [each["dead_letter"] for each in await listed(caller)]


async def test_one_of_a_kind_is_redriven_once_under_its_key(till: Till, caller: Caller, to: Sink) -> None:
    found = await fail(till, caller, to)
    target = f"/dead-letters/{found['receipt']['dead_letter']}/redrive"
    refused = await act(caller, target, "a")
    assert (refused.problem, "a mistake of ours" in refused.json["detail"]) == ((409, "cannot-replay"), True)
    till.broken = till.failing = False
    to.answer = always(200)
    dry = await act(caller, target, "b", dry_run=True)
    assert (dry.status, dry.json) == (200, {"subjects": 1, "entries": 1, "failed": 0, "dry_run": True})
    for kind in ("receipt", "delivery"):  # what a handler failed with is tried again by itself, too
        once = await act(caller, f"/dead-letters/{found[kind]['dead_letter']}/redrive", kind)
        again = await act(caller, f"/dead-letters/{found[kind]['dead_letter']}/redrive", kind)
        assert (once.status, once.json["subjects"], again.body) == (202, 1, once.body)
    await until(caller, 0)
    assert [each["id"] for each in await entries(caller, type="order-paid")] == ["evt_1", "evt_2"]
    assert {got.attempt for got in to.got} == {1}
    assert (await act(caller, target, "c")).problem == (404, "not-found")


async def test_what_follows_a_dead_delivery_comes_after_it(till: Till, caller: Caller, to: Sink) -> None:
    await fail(till, caller, to)
    till.broken = False
    assert (await send(caller, delivery("evt_3"))).status == 202
    async with asyncio.timeout(PATIENCE):  # what tells of the first one stands at 2
        while (await caller.get("/dead-letters/delivery:crm:3")).status != 200:
            await asyncio.sleep(0.02)
    shown = (await caller.get("/dead-letters/delivery:crm:1")).json
    assert (shown["followers"], shown["subject_letters"]) == (1, ["delivery:crm:1", "delivery:crm:3"])
    for step, members in (("redrive", {}), ("drop", {"reason": "x"})):
        reply = await act(caller, f"/dead-letters/delivery:crm:3/{step}", "k", **members)
        assert reply.problem == (409, "not-subject-head")
    done = await act(caller, "/dead-letters/delivery:crm:1/drop", "d", reason="theirs")
    assert (done.status, done.json) == (200, {"dead_letter": "delivery:crm:1", "left": 1, "dry_run": False})


async def test_many_are_redriven_or_dropped_by_what_they_are(till: Till, caller: Caller, to: Sink) -> None:
    await fail(till, caller, to)
    reply = await act(caller, "/dead-letters/redrive", "a", where={"kind": "receipt"})
    assert (reply.status, reply.json["failed"]) == (202, 1)
    where: dict[str, Any] = {"endpoint": "crm"}
    dropped: Reply = await act(caller, "/dead-letters/drop", "b", reason="theirs", where=where)
    assert (dropped.status, dropped.json) == (200, {"subjects": 1, "left": 0, "dry_run": False})
    assert {each["kind"] for each in await listed(caller)} == {"handler", "receipt"}
    till.broken = till.failing = False
    to.answer = always(200)
    assert (await act(caller, "/dead-letters/redrive", "c", where={"kind": "receipt"})).json["subjects"] == 1
    await until(caller, 0)
