from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.api.scopes import ask
from tests.unit.api.shop import Shop, open_shop

from tidings.api.application import application
from tidings.errors import LogUnavailableError, StoreUnavailableError


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
    assert (await ask(shop.http, "GET", "/healthz")).json == {"status": "ok", "checks": ["process"]}


async def test_it_is_ready_when_log_store_and_consumers_are(shop: Shop) -> None:
    assert (await ask(shop.http, "GET", "/readyz")).json == {"status": "ok", "checks": ["log", "store", "consumers"]}


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


async def test_a_consumer_that_fails_again_and_again_is_named(shop: Shop) -> None:
    crew: Any = SimpleNamespace(failing={"stock.total@1": "RuntimeError: the secret", "desk": "x"})
    served = await application(replace(shop.opened, crew=crew))
    reply = await ask(served, "GET", "/readyz")
    assert (reply.status, reply.json["checks"]) == (503, ["desk", "stock.total@1"])
    assert "secret" not in reply.body.decode()
