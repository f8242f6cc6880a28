from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.api.scopes import ask
from tests.unit.api.shop import Shop, open_shop

from tidings.api.application import application
from tidings.errors import LogUnavailableError, StoreUnavailableError
from tidings.log.driver import Head

CHECKS = ["settings", "log", "store", "schema", "leases", "checkpoints", "consumers"]


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened


def failing(error: Exception) -> Any:
    async def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


async def test_a_process_that_answers_lives(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.opened.log, "head", failing(LogUnavailableError("disk /dev/secret is gone")))
    assert (await ask(shop.http, "GET", "/healthz")).json == {"status": "ok", "checks": ["heartbeat"]}


async def test_a_loop_that_does_not_come_round_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    time = loop.time
    monkeypatch.setattr(loop, "time", lambda: time() + 6)
    reply = await ask(shop.http, "GET", "/healthz")
    assert (reply.status, reply.slug, reply.json["checks"]) == (503, "overloaded", ["heartbeat"])
    for _ in range(2):
        await asyncio.sleep(0)  # the loop comes round, and with it the heartbeat, which was due
    assert (await ask(shop.http, "GET", "/healthz")).status == 200


async def test_it_is_ready_when_log_store_and_consumers_are(shop: Shop) -> None:
    assert (await ask(shop.http, "GET", "/readyz")).json == {"status": "ok", "checks": CHECKS}


@pytest.mark.parametrize(
    ("broken", "slug", "names"),
    [
        ({"log"}, "log-unavailable", ["log"]),
        ({"store"}, "store-unavailable", ["store"]),
        ({"log", "store"}, "log-unavailable", ["log", "store"]),
    ],
)
async def test_what_does_not_answer_is_named_and_nothing_else_is_told(
    shop: Shop, broken: set[str], slug: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "log" in broken:
        monkeypatch.setattr(shop.opened.log, "head", failing(LogUnavailableError("disk /dev/secret is gone")))
    if "store" in broken:
        monkeypatch.setattr(shop.opened.store, "consumers", failing(StoreUnavailableError("disk /dev/secret is gone")))
    reply = await ask(shop.http, "GET", "/readyz")
    assert (reply.status, reply.slug, reply.json["checks"], reply.headers["retry-after"]) == (503, slug, names, "1")
    assert "secret" not in reply.body.decode()


async def test_each_check_that_fails_is_named_and_its_reason_stands_in_the_log(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shop.opened.store, "claim", failing(StoreUnavailableError("disk /dev/secret is full")))
    monkeypatch.setattr(shop.opened.store, "views", failing(StoreUnavailableError("disk /dev/secret is full")))
    reply = await ask(shop.http, "GET", "/readyz")
    assert (reply.status, reply.slug, reply.json["checks"]) == (
        503,
        "store-unavailable",
        ["schema", "leases", "checkpoints"],
    )
    assert "secret" not in reply.body.decode()
    told = "not ready: the check leases fails: StoreUnavailableError: disk /dev/secret is full"
    assert told in [record.getMessage() for record in caplog.records]


async def test_a_consumer_that_fails_again_and_again_is_named(shop: Shop) -> None:
    crew: Any = SimpleNamespace(failing={"stock.total@1": "RuntimeError: the secret", "desk": "x"})
    served = await application(replace(shop.opened, crew=crew))
    reply = await ask(served, "GET", "/readyz")
    assert (reply.status, reply.slug, reply.json["checks"]) == (503, "not-running", ["desk", "stock.total@1"])
    assert "cannot be reached" not in reply.body.decode()
    assert "secret" not in reply.body.decode()


async def test_a_consumer_that_waits_to_be_told_is_no_store_out_of_reach(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = await shop.opened.log.head()

    async def raised() -> Head:
        return replace(head, position=9, floor=9)

    monkeypatch.setattr(shop.opened.log, "head", raised)
    reply = await ask(shop.http, "GET", "/readyz")
    assert (reply.status, reply.slug, reply.json["checks"]) == (503, "not-running", ["checkpoints"])
