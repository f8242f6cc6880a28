"""What operators see and do over HTTP, on a shop whose handler refuses some orders."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import JSON, Caller, Reply, in_file, serving
from tests.acceptance.place import SHOP
from tests.acceptance.test_http_access import Keyed, token_of
from tidings import App
from tidings.store.deliveries import Delivery
from tidings.store.reason import Reason


def shop() -> App:
    names: dict[str, Any] = {"__name__": "shop"}
    exec(compile(SHOP, "shop.py", "exec"), names)
    app = names["app"]
    assert isinstance(app, App)
    return app


@pytest.fixture
def app() -> App:
    return shop()


@pytest.fixture
async def caller(app: App, tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(app, in_file(tmp_path)) as started:
        yield started


async def place(caller: Caller, id: str, order: str, total: int) -> Reply:
    body = json.dumps({"order_id": order, "total": total})
    reply = await caller.put(f"/events/till/{id}", {"ce-type": "order-placed", **JSON}, body)
    assert reply.status == 201
    return reply


async def act(caller: Caller, target: str, key: str | None = None, **members: Any) -> Reply:
    named = {} if key is None else {"idempotency-key": key}
    return await caller.post({**JSON, **named}, json.dumps(members), target)


async def eventually(caller: Caller, target: str, until: Callable[[Any], bool]) -> Any:
    while True:
        reply = await caller.get(target)
        if reply.status == 200 and until(reply.json):
            return reply.json


async def failed(caller: Caller) -> tuple[str, str]:
    """An order that is refused, and one behind it; return the names of both dead letters."""
    await place(caller, "1", "o-1", -5)
    await place(caller, "2", "o-1", 7)
    page = await eventually(caller, "/dead-letters", lambda page: [x["followers"] for x in page["dead_letters"]] == [1])
    shown = (await caller.get(f"/dead-letters/{page['dead_letters'][0]['dead_letter']}")).json
    head, follower = shown["subject_letters"]
    return head, follower


async def test_consumers_are_shown_with_their_lag_and_their_leases(caller: Caller) -> None:
    await place(caller, "1", "o-1", 5)
    found = await eventually(caller, "/consumers/stock", lambda each: each["checkpoint"] == each["head"])
    assert (found["state"], found["lag"]["entries"], found["types"]) == ("running", 0, ["order-placed"])
    [partition] = found["partitions"]
    assert partition["owner"]
    assert partition["epoch"] >= 1
    names = [each["consumer"] for each in (await caller.get("/consumers")).json["consumers"]]
    assert names == sorted(names)
    assert {"orders", "stock"} <= set(names)
    assert (await caller.get("/consumers/nix")).problem == (404, "not-found")


async def test_a_consumer_is_paused_for_a_reason_and_resumed(caller: Caller) -> None:
    await eventually(caller, "/consumers/stock", lambda each: each["state"] == "running")
    for reason in ("counting", "counting still"):
        reply = await act(caller, "/consumers/stock/pause", reason=reason)
        assert (reply.status, reply.json["state"], reply.json["paused"]) == (200, "paused", reason)
    await place(caller, "1", "o-1", 5)
    assert (await caller.get("/consumers/stock")).json["lag"]["entries"] == 1
    reply = await act(caller, "/consumers/stock/resume")
    assert (reply.status, reply.json["paused"]) == (200, None)
    await eventually(caller, "/consumers/stock", lambda each: each["state"] == "running" and not each["lag"]["entries"])


async def test_what_cannot_be_paused_is_told(caller: Caller) -> None:
    assert (await act(caller, "/consumers/nix/pause", reason="x")).problem == (404, "not-found")
    assert (await act(caller, "/consumers/stock/pause", reason=" ")).problem == (422, "invalid-configuration")
    reply = await act(caller, "/consumers/stock/pause", why="x")
    assert reply.problem == (422, "invalid-configuration")
    reply = await act(caller, "/consumers/stock/pause")
    assert (reply.problem, reply.pointers) == ((422, "invalid-configuration"), ["/reason"])
    reply = await act(caller, "/consumers/stock/pause", **{"a/b~c": "x"})
    assert (reply.problem, reply.pointers) == ((422, "invalid-configuration"), ["/a~1b~0c"])
    reply = await act(caller, "/consumers/stock/pause", reason=1)
    assert (reply.problem, reply.pointers) == ((422, "invalid-configuration"), ["/reason"])
    reply = await act(caller, "/consumers/stock/resume", reason="x")
    assert (reply.problem, reply.pointers) == ((422, "invalid-configuration"), ["/reason"])
    for body, headers, problem in [
        ("{", JSON, (400, "malformed-request")),
        ('{"reason":"x"}', {"content-type": "text/plain"}, (415, "unsupported-media-type")),
        ("x" * 70_000, JSON, (413, "body-too-large")),
    ]:
        assert (await caller.post(headers, body, "/consumers/stock/pause")).problem == problem


async def test_a_consumer_is_replayed_once_for_each_key(caller: Caller) -> None:
    token = (await place(caller, "1", "o-1", 5)).position
    await eventually(caller, "/consumers/stock", lambda each: each["checkpoint"] == each["head"])
    target = "/consumers/stock/replay"
    reply = await act(caller, target, "k", from_position=token)
    assert (reply.status, reply.json["entries"], reply.json["at_least"]) == (202, 1, False)
    again = await act(caller, target, "k", from_position=token)
    assert (again.body, again.headers["idempotency-replayed"]) == (reply.body, "true")
    await eventually(caller, "/consumers/stock", lambda each: each["lag"]["entries"] == 0)
    assert (await act(caller, target, "t", from_time="2020-01-01T00:00:00Z")).status == 202


async def test_what_cannot_be_replayed_is_told_and_told_again(caller: Caller) -> None:
    token = (await place(caller, "1", "o-1", 5)).position
    await eventually(caller, "/consumers/orders", lambda each: each["checkpoint"] == each["head"])
    target = "/consumers/orders/replay"
    assert (await act(caller, target, from_position=token)).problem == (400, "idempotency-key-missing")
    for _ in range(2):
        reply = await act(caller, target, "k", from_position=token)
        assert reply.problem == (409, "cannot-replay")
    assert reply.headers["idempotency-replayed"] == "true"
    assert (await act(caller, "/consumers/nix/replay", "n", from_position=token)).problem == (404, "not-found")
    assert (await act(caller, target, "l", from_position="x")).problem == (400, "invalid-position")
    for members in ({}, {"from_position": token, "from_time": "2020-01-01T00:00:00Z"}, {"from_time": "then"}):
        assert (await act(caller, target, "l", **members)).problem == (422, "invalid-configuration")


async def test_a_dead_letter_is_shown_with_its_event_and_what_waits_behind_it(caller: Caller) -> None:
    head, follower = await failed(caller)
    [listed] = (await caller.get("/dead-letters?consumer=orders&state=dead&reason=not-retryable")).json["dead_letters"]
    assert (listed["dead_letter"], listed["is_head"], listed["followers"]) == (head, True, 1)
    assert (listed["kind"], listed["state"], listed["attempts"]) == ("handler", "dead", 1)
    assert "no order has a total below 0" in listed["error"]
    shown = (await caller.get(f"/dead-letters/{head}")).json
    assert shown["event"]["data"] == {"order_id": "o-1", "total": -5}
    assert (await caller.get(f"/dead-letters/{follower}")).json["is_head"] is False
    assert head.startswith("orders:")
    alias = head.replace(":", ":0")
    for name in (alias, "nix", "orders:99", "nix:1", "orders:x"):
        assert (await caller.get(f"/dead-letters/{name}")).problem == (404, "not-found")
    assert (await caller.get("/dead-letters/orders%3A1%00")).problem == (400, "malformed-request")
    assert (await caller.get("/dead-letters?consumer=nix")).problem == (404, "not-found")
    assert (await caller.get("/dead-letters?state=gone")).problem == (400, "malformed-request")
    assert (await caller.get("/dead-letters?after=x")).problem == (400, "malformed-request")


async def test_dead_letters_come_page_by_page(caller: Caller) -> None:
    for n in range(5):
        await place(caller, str(n), f"o-{n}", -1)
    await eventually(caller, "/dead-letters", lambda page: len(page["dead_letters"]) == 5)
    names, after = [], ""
    while after is not None:
        page = (await caller.get(f"/dead-letters?limit=2{after and '&after=' + after}")).json
        names += [each["dead_letter"] for each in page["dead_letters"]]
        after = page["next"]
    assert len(names) == len(set(names)) == 5


async def test_only_the_first_of_a_subject_is_redriven_or_dropped(caller: Caller) -> None:
    _, follower = await failed(caller)
    for step, members in (("redrive", {}), ("drop", {"reason": "erased"})):
        reply = await act(caller, f"/dead-letters/{follower}/{step}", "k", **members)
        assert reply.problem == (409, "not-subject-head")


async def test_a_dropped_letter_lets_the_others_flow_on(caller: Caller) -> None:
    head, _ = await failed(caller)
    target = f"/dead-letters/{head}/drop"
    assert (await act(caller, target, reason="erased")).problem == (400, "idempotency-key-missing")
    dry = await act(caller, target, "dry", reason="erased", dry_run=True)
    assert (dry.status, dry.json["left"], dry.json["dry_run"]) == (200, 2, True)
    assert (await act(caller, target, "k", reason=" ")).problem == (422, "invalid-configuration")
    reply = await act(caller, target, "k", reason="erased")
    assert (reply.status, reply.json["left"]) == (200, 1)
    assert (await act(caller, target, "k", reason="erased")).headers["idempotency-replayed"] == "true"
    await eventually(caller, "/dead-letters", lambda page: page["dead_letters"] == [])
    assert (await act(caller, target, "l", reason="erased")).problem == (404, "not-found")
    status = (await caller.get("/events/till/2/status")).json
    assert {each["consumer"]: each["state"] for each in status["consumers"]}["orders"] == "settled"
    status = (await caller.get("/events/till/1/status")).json
    [orders] = [each for each in status["consumers"] if each["consumer"] == "orders"]
    assert (orders["state"], orders["dead_letter"], orders["dropped"]["reason"]) == ("dropped", None, "erased")
    assert orders["dropped"]["at"] >= status["recorded"]


async def test_redriving_counts_first_and_gives_back_what_fits(caller: Caller) -> None:
    head, _ = await failed(caller)
    dry = await act(caller, "/dead-letters/redrive", "a", where={"consumer": "orders"}, dry_run=True)
    assert (dry.status, dry.json) == (200, {"subjects": 1, "entries": 2, "failed": 0, "dry_run": True})
    assert (await caller.get(f"/dead-letters/{head}")).json["state"] == "dead"
    none = await act(caller, "/dead-letters/redrive", "b", where={"reason": "process-died"})
    assert (none.status, none.json["subjects"]) == (202, 0)
    assert (await act(caller, "/dead-letters/redrive", "c", where={"consumer": "nix"})).problem == (404, "not-found")
    reply = await act(caller, "/dead-letters/redrive", "d", where={"state": "dead"})
    assert (reply.status, reply.json["entries"]) == (202, 2)
    one = await act(caller, f"/dead-letters/{head}/redrive", "e")
    assert (one.status, one.json["subjects"]) == (202, 1)
    assert (await act(caller, "/dead-letters/redrive", "f", where={"stat": "dead"})).status == 422


async def test_the_data_of_a_dead_letter_is_a_right_of_its_own(app: App, tmp_path: Path) -> None:
    settings = in_file(tmp_path)
    every, some = await token_of(settings), await token_of(settings, "dead-letters:read")
    async with serving(app, settings, token=every) as caller:
        body = json.dumps({"order_id": "o-1", "total": -5})
        await Keyed(caller, every).ask("PUT", "/events/till/1", {"ce-type": "order-placed", **JSON}, body)
        while not (found := (await Keyed(caller, every).get("/dead-letters")).json["dead_letters"]):
            pass
        target = f"/dead-letters/{found[0]['dead_letter']}"
        assert "data" in (await Keyed(caller, every).get(target)).json["event"]
        assert "data" not in (await Keyed(caller, some).get(target)).json["event"]


async def test_the_status_of_an_event_says_who_has_handled_it(caller: Caller) -> None:
    head, _ = await failed(caller)
    status = await eventually(
        caller, "/events/till/1/status", lambda found: "ahead" not in {each["state"] for each in found["consumers"]}
    )
    by_name = {each["consumer"]: each for each in status["consumers"]}
    assert (by_name["orders"]["state"], by_name["orders"]["dead_letter"]) == ("parked", head)
    assert by_name["stock"]["state"] == "settled"
    assert (await caller.get("/events/till/nix/status")).problem == (404, "not-found")


async def test_deliveries_are_shown_and_a_dead_one_is_tried_again(app: App, caller: Caller) -> None:
    store = app.opened.store
    async with store.unit() as unit:
        await unit.intend([Delivery(key=f"k-{n}", service="mail", function="send", payload=b"1") for n in range(3)])
    claimed = await store.claim_deliveries(owner="one", services=["mail"], limit=2, ttl=timedelta(minutes=1))
    await store.settle_delivery(claimed[0], Reason(kind="handler-failed", error="OSError: no", next_at=None))
    await store.settle_delivery(claimed[1], None)
    page = (await caller.get("/deliveries?limit=2")).json
    assert [(each["key"], each["state"]) for each in page["deliveries"]] == [("k-0", "dead"), ("k-1", "delivered")]
    rest = (await caller.get(f"/deliveries?limit=2&after={page['next']}")).json
    assert ([each["key"] for each in rest["deliveries"]], rest["next"]) == (["k-2"], None)
    assert [each["key"] for each in (await caller.get("/deliveries?state=dead")).json["deliveries"]] == ["k-0"]
    assert (await caller.get("/deliveries/k-0")).json["error"] == "OSError: no"
    for _ in range(2):
        reply = await act(caller, "/deliveries/k-0/retry")
        assert (reply.status, reply.json["state"]) == (202, "due")
    assert (await act(caller, "/deliveries/k-1/retry")).problem == (409, "endpoint-state")
    assert (await act(caller, "/deliveries/nix/retry")).problem == (404, "not-found")
    assert (await caller.get("/deliveries/nix")).problem == (404, "not-found")
    for query in ("?state=lost", "?after=nix", "?from=yesterday", "?nobody=x"):
        assert (await caller.get(f"/deliveries{query}")).problem == (400, "malformed-request")


async def test_deliveries_are_found_shown_with_their_attempts_and_cancelled(app: App, caller: Caller) -> None:
    store = app.opened.store
    async with store.unit() as unit:
        await unit.intend([Delivery(key=f"k-{n}", service="mail", function="send", payload=b"1") for n in range(3)])
    claimed = await store.claim_deliveries(owner="one", services=["mail"], limit=2, ttl=timedelta(minutes=1))
    await store.settle_delivery(claimed[0], Reason(kind="handler-failed", error="OSError: no", next_at=None))
    await store.settle_delivery(claimed[1], None)
    for query, keys in (
        ("reason=handler-failed", ["k-0"]),
        ("service=mail&function=send&limit=2", ["k-0", "k-1"]),
        ("service=mail&state=held", []),
        ("from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z", []),
        ("from=2020-01-01T00:00:00Z&state=due", ["k-2"]),
    ):
        found = (await caller.get(f"/deliveries?{query}")).json["deliveries"]
        assert [each["key"] for each in found] == keys
    for query in ("service=post", "function=sent", "endpoint=nix"):
        assert (await caller.get(f"/deliveries?{query}")).problem == (404, "not-found")
    [attempt] = (await caller.get("/deliveries/k-0/attempts")).json["attempts"]
    assert (attempt["attempt"], attempt["outcome"], attempt["error"]) == (1, "handler-failed", "OSError: no")
    assert attempt["duration_ms"] >= 0
    assert (await caller.get("/deliveries/k-2/attempts")).json == {"attempts": []}
    assert (await caller.get("/deliveries/nix/attempts")).problem == (404, "not-found")
    for _ in range(2):
        reply = await act(caller, "/deliveries/k-2/cancel", reason="the customer cancelled")
        assert (reply.status, reply.json["state"], reply.json["next_at"]) == (200, "cancelled", None)
    assert (await act(caller, "/deliveries/k-2/retry")).problem == (409, "endpoint-state")
    assert (await act(caller, "/deliveries/k-1/cancel")).problem == (409, "endpoint-state")
    assert (await act(caller, "/deliveries/nix/cancel")).problem == (404, "not-found")
    [audited] = await store.audit()
    assert (audited.who, audited.what, audited.on) == ("local", "cancel", "k-2")
    assert audited.reason == "the customer cancelled"


async def test_what_failed_is_dropped_by_a_filter_once_and_audited(app: App, caller: Caller) -> None:
    await failed(caller)
    target, where = "/dead-letters/drop", {"consumer": "orders", "reason": "not-retryable"}
    assert (await act(caller, target, reason="rubbish", where=where)).problem == (400, "idempotency-key-missing")
    assert (await act(caller, target, "a", where=where)).problem == (422, "invalid-configuration")
    assert (await act(caller, target, "b", reason=" ", where=where)).problem == (422, "invalid-configuration")
    assert (await act(caller, target, "c", reason="rubbish", where={})).problem == (422, "invalid-configuration")
    assert (await act(caller, target, "d", reason="x", where={"consumer": "nix"})).problem == (404, "not-found")
    dry = await act(caller, target, "e", reason="rubbish", where=where, dry_run=True)
    assert (dry.status, dry.json) == (200, {"subjects": 1, "left": 2, "dry_run": True})
    assert list(await app.opened.store.audit()) == []
    for _ in range(2):
        reply = await act(caller, target, "f", reason="rubbish", where=where)
        assert (reply.status, reply.json) == (200, {"subjects": 1, "left": 1, "dry_run": False})
    [audited] = await app.opened.store.audit()
    assert (audited.who, audited.what, audited.on, audited.reason) == ("local", "drop", "orders", "rubbish")
    await eventually(caller, "/dead-letters", lambda page: page["dead_letters"] == [])


async def test_a_number_that_no_column_holds_is_refused_when_it_comes(caller: Caller) -> None:
    for n, total in enumerate((2**63 - 1, -(2**63))):
        await place(caller, f"big-{n}", f"o-{n}", total)
    for total in (2**63, -(2**63) - 1, 10**30):
        body = json.dumps({"order_id": "o-9", "total": total})
        reply = await caller.put("/events/till/bigger", {"ce-type": "order-placed", **JSON}, body)
        assert (reply.problem, reply.pointers) == ((422, "invalid-data"), ["/total"])
    document = (await caller.get("/openapi.json")).json
    total = document["components"]["schemas"]["event.order-placed.v1"]["$defs"]["OrderPlaced"]["properties"]["total"]
    assert (total["minimum"], total["maximum"]) == (-(2**63), 2**63 - 1)
