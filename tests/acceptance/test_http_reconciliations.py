"""Reconciliation over HTTP, on a real server: bounds, runs, findings, and having runs made, approved and ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import JSON, Caller, Reply, in_file, serving
from tests.unit.reconciliation.shop import Order, OrderGone, Orders, OrderSeen, Provider, orders_service
from tidings import App
from tidings.ports import SystemClock, utc
from tidings.testing.clock import StandingClock


class Now(StandingClock):
    """The machine's own, under the name that the provider asks."""

    def now_us(self) -> int:
        return SystemClock().now_us() - 10_000_000


@pytest.fixture
def provider() -> Provider:
    found = Provider(Now())
    found.date = lambda: utc(SystemClock().now_us())  # type: ignore[method-assign]
    for n in range(20):
        found.put(f"o{n:02}", n)
    return found


@pytest.fixture
async def caller(provider: Provider, tmp_path: Path) -> AsyncIterator[Caller]:
    app = App(orders_service())
    app.reconcile("till-orders", Order, Orders(provider), events=[OrderSeen, OrderGone], every=timedelta(days=1))
    async with serving(app, in_file(tmp_path)) as caller:
        yield caller


async def ask(caller: Caller, target: str, key: str, members: Any) -> Reply:
    return await caller.ask("POST", target, {**JSON, "idempotency-key": f'"{key}"'}, json.dumps(members))


async def until(caller: Caller, target: str, is_so: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(60):
        while not is_so(found := (await caller.get(target)).json):
            await asyncio.sleep(0.05)
    return found


async def made(caller: Caller, key: str, **members: Any) -> Any:
    """Have a run made, once no other is under way, and wait for its end."""
    async with asyncio.timeout(60):
        while (reply := await ask(caller, "/reconciliations", key, {"scope": "till-orders", **members})).status == 409:
            assert reply.problem == (409, "already-running")
            key, _ = f"{key}-", await asyncio.sleep(0.05)
    assert reply.status == 202, reply.body
    return await until(caller, reply.headers["location"], lambda run: run["state"] not in ("running", "paused"))


async def test_runs_are_made_shown_and_bounds_follow(caller: Caller, provider: Provider) -> None:
    planned = await made(caller, "one", mode="plan")
    assert (planned["dry"], planned["appended"], planned["mode"]) == (True, 0, "plan")
    assert {each["kind"] for each in planned["findings"]} == {"missing"}
    run = await made(caller, "two", apply=True)
    assert (run["state"], run["dry"]) == ("done", False)
    bounds = await until(caller, "/asof/till-orders", lambda found: found["delete"]["as_of"] is not None)
    assert (bounds["exceptions"], bounds["overdue"]) == ([], False)
    assert bounds["expected_s"] >= 86_400
    assert (await caller.get("/asof")).json["scopes"][0]["scope"] == "till-orders"
    await until(caller, "/views/orders/order", lambda found: len(found["rows"]) == 20)

    page = (await caller.get("/reconciliations?limit=1")).json
    rest = (await caller.get(f"/reconciliations?scope=till-orders&after={page['next']}")).json
    ids = [each["id"] for each in (*page["reconciliations"], *rest["reconciliations"])]
    assert (ids[0], planned["id"] in ids, rest["next"]) == (run["id"], True, None)


async def test_findings_are_paged_and_of_one_kind(caller: Caller) -> None:
    planned = await made(caller, "one", mode="plan")
    at = f"/reconciliations/{planned['id']}"
    page = (await caller.get(f"{at}?limit=12&kind=missing")).json
    rest = (await caller.get(f"{at}?limit=12&after={page['next']}")).json
    assert [len(each["findings"]) for each in (page, rest)] == [12, 8]
    assert [each["key"] for each in (*page["findings"], *rest["findings"])] == [f"o{n:02}" for n in range(20)]
    assert (await caller.get(f"{at}?kind=extra")).json["findings"] == []
    assert (await caller.get(f"{at}?after=x")).problem == (400, "malformed-request")


async def test_a_read_of_a_copy_says_up_to_when_it_is_proved(caller: Caller) -> None:
    rows = await caller.get("/views/orders/order")
    assert "tidings-as-of" not in rows.headers
    await made(caller, "one", apply=True)
    bounds = await until(caller, "/asof/till-orders", lambda found: found["delete"]["as_of"] is not None)
    async with asyncio.timeout(30):  # it may be told as it was a second ago
        while "tidings-as-of" not in (rows := await caller.get("/views/orders/order?limit=1")).headers:
            await asyncio.sleep(0.05)
    upserts, deletes = rows.headers["tidings-as-of"].split("; delete=")
    assert datetime.fromisoformat(deletes) <= datetime.fromisoformat(upserts)
    assert datetime.fromisoformat(upserts) <= datetime.fromisoformat(bounds["upsert"]["as_of"])
    row = await caller.get("/views/orders/order/o01")
    assert row.headers["tidings-as-of"] == rows.headers["tidings-as-of"]


async def test_held_deletes_are_approved_up_to_so_many(caller: Caller, provider: Provider) -> None:
    await made(caller, "one", apply=True)
    await until(caller, "/views/orders/order", lambda found: len(found["rows"]) == 20)
    for n in range(12):
        del provider.items[f"o{n:02}"]
    held = await made(caller, "two", apply=True)
    assert (held["state"], len(held["held"]), held["deletes"]) == ("held", 12, 0)
    target = f"/reconciliations/{held['id']}/approve"
    few = await ask(caller, target, "few", {"at_most": 11})
    assert few.problem == (409, "endpoint-state")
    assert "12 deletes, more than 11" in few.json["detail"]
    first = await ask(caller, target, "enough", {"at_most": 12})
    again = await ask(caller, target, "enough", {"at_most": 12})
    assert (first.status, again.body, again.headers["idempotency-replayed"]) == (202, first.body, "true")
    done = await until(caller, first.headers["location"], lambda run: run["state"] != "running")
    assert (done["mode"], done["state"], done["deletes"]) == ("approve", "done", 12)
    await until(caller, "/views/orders/order", lambda found: len(found["rows"]) == 8)
    assert (await ask(caller, f"/reconciliations/{done['id']}/approve", "x", {"at_most": 1})).status == 409


async def test_a_run_that_has_ended_is_not_cancelled(caller: Caller) -> None:
    done = await made(caller, "one", mode="plan")
    assert (await caller.ask("POST", f"/reconciliations/{done['id']}/cancel", JSON, "{}")).status == 409
    assert (await caller.ask("POST", "/reconciliations/none/cancel", JSON, "{}")).problem == (404, "not-found")


async def test_what_is_asked_wrongly_is_said(caller: Caller) -> None:
    assert (await caller.get("/asof/none")).problem == (404, "not-found")
    assert (await caller.get("/reconciliations/none")).problem == (404, "not-found")
    assert (await caller.get("/reconciliations?state=held")).problem == (400, "malformed-request")
    assert (await ask(caller, "/reconciliations", "a", {"scope": "none"})).problem == (404, "not-found")
    assert (await ask(caller, "/reconciliations", "b", {"mode": "run"})).problem == (422, "invalid-configuration")
    assert (await ask(caller, "/reconciliations", "c", {"scope": "till-orders", "mode": "approve"})).status == 422
    unkeyed = await caller.ask("POST", "/reconciliations", JSON, '{"scope": "till-orders"}')
    assert unkeyed.problem == (400, "idempotency-key-missing")
