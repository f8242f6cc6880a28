"""Answers under keys, deliveries and their tries are forgotten when their time is over, in chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.unit.operations.stage import StillClock
from tidings.backends.sqlite import open_sqlite
from tidings.operations.pruning import ANSWERS_DAYS, ATTEMPTS_DAYS, CHUNK, DELIVERIES_DAYS, Pruned, Pruner, prune
from tidings.ports import Ports
from tidings.store.deliveries import Delivery
from tidings.store.driver import StoreDriver
from tidings.store.keyed import Request

DAY_US = 86_400_000_000


@pytest.fixture
async def store() -> AsyncIterator[StoreDriver]:
    opened = open_sqlite(":memory:", Ports())
    yield opened.store
    await opened.close()


async def answered(store: StoreDriver, key: str, at: int) -> None:
    async with store.keyed(Request(owner="us", route="POST /x", key=key, fingerprint=b"f", at=at)) as keyed:
        await keyed.keep(b"done")


async def is_kept(store: StoreDriver, key: str) -> bool:
    async with store.keyed(Request(owner="us", route="POST /x", key=key, fingerprint=b"f", at=0)) as keyed:
        return keyed.kept is not None


async def test_pruning_is_chunked_and_reports_what_it_deleted(store: StoreDriver) -> None:
    clock = StillClock()
    over = clock.now_us() - ANSWERS_DAYS * DAY_US
    for n in range(CHUNK + 5):
        await answered(store, f"old-{n}", over - 1)
    await answered(store, "young", over)
    chunks: list[int] = []
    forget = store.forget_answers

    async def counted(*, before: int, limit: int) -> int:
        chunks.append(await forget(before=before, limit=limit))
        return chunks[-1]

    store.forget_answers = counted  # type: ignore[method-assign]
    assert await prune(store, clock, asyncio.Event()) == Pruned(answers=CHUNK + 5, attempts=0, deliveries=0)
    assert chunks == [CHUNK, 5]
    assert await is_kept(store, "young")
    assert not await is_kept(store, "old-0")


async def test_attempts_go_when_their_delivery_was_closed_long_enough(store: StoreDriver) -> None:
    async with store.unit() as unit:
        await unit.intend([Delivery(key=key, service="shop", function="mail", payload=b"1") for key in "ab"])
    [claimed] = await store.claim_deliveries(owner="o", services=["shop"], limit=1, ttl=timedelta(seconds=9))
    await store.settle_delivery(claimed, None)
    clock = StillClock()
    clock.pass_by(seconds=(Ports().clock.now_us() - clock.now_us()) / 1_000_000)
    assert await prune(store, clock, asyncio.Event()) == Pruned(answers=0, attempts=0, deliveries=0)
    clock.pass_by(seconds=(ATTEMPTS_DAYS + 1) * 86_400)
    assert await prune(store, clock, asyncio.Event()) == Pruned(answers=0, attempts=1, deliveries=0)
    assert list(await store.attempts("a")) == []
    clock.pass_by(seconds=(DELIVERIES_DAYS - ATTEMPTS_DAYS) * 86_400)
    assert await prune(store, clock, asyncio.Event()) == Pruned(answers=0, attempts=0, deliveries=1)
    assert [each["key"] for each in await store.deliveries()] == ["b"]


async def test_deliveries_are_pruned_in_chunks_with_their_attempts(store: StoreDriver) -> None:
    async with store.unit() as unit:
        await unit.intend(
            [Delivery(key=f"{n}", service="shop", function="mail", payload=b"1") for n in range(CHUNK + 5)]
        )
    for each in await store.claim_deliveries(owner="o", services=["shop"], limit=3, ttl=timedelta(seconds=9)):
        await store.settle_delivery(each, None)
    for n in range(3, CHUNK + 5):
        await store.cancel_delivery(f"{n}", at=Ports().clock.now_us())
    clock = StillClock()
    clock.pass_by(seconds=(Ports().clock.now_us() - clock.now_us()) / 1_000_000 + (DELIVERIES_DAYS + 1) * 86_400)
    assert await prune(store, clock, asyncio.Event()) == Pruned(answers=0, attempts=3, deliveries=CHUNK + 5)
    assert list(await store.deliveries()) == []


async def test_a_pruner_prunes_at_once_and_ends_when_it_is_told(store: StoreDriver) -> None:
    clock, stopping = StillClock(), asyncio.Event()
    await answered(store, "old", clock.now_us() - ANSWERS_DAYS * DAY_US - 1)
    running = asyncio.create_task(Pruner(store, clock).run(stopping))
    while await is_kept(store, "old"):
        pass
    stopping.set()
    await running
