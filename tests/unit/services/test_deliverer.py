from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.consumers.room import Room, room
from tidings import Delivery, NotRetryable
from tidings.errors import StoreUnavailableError
from tidings.services.deliverer import CALLS, Deliverer
from tidings.services.functions import Function
from tidings.store import deliveries as store

Call = Callable[[Any, Delivery], Awaitable[None]]


class Desk:
    """A deliverer that runs, and a count of the results that were written."""

    def __init__(self, at: Room, call: Call, *, call_seconds: float = 30.0, owner: str = "one") -> None:
        self.at = at
        functions = {"shop": {"tell": Function("tell", call)}}
        self.deliverer = Deliverer(functions, store=at.store, ports=at.ports, owner=owner, call_seconds=call_seconds)
        self.written = asyncio.Semaphore(0)
        self.stopping = asyncio.Event()
        self.running: asyncio.Task[None]
        at.points.hook = self._passed

    async def finish(self) -> None:
        self.stopping.set()
        await self.running

    def _passed(self, name: str) -> None:
        if name == "delivery:result-written":
            self.written.release()

    async def intend(self, *keys: str, payload: bytes = b'{"to":"me"}', order: str | None = None) -> None:
        given = [store.Delivery(key=key, service="shop", function="tell", payload=payload, order=order) for key in keys]
        async with self.at.store.unit() as unit:
            await unit.intend(given)
        self.deliverer.wake()

    async def results(self, count: int = 1) -> None:
        """Wait until so many more results are written."""
        for _ in range(count):
            await self.written.acquire()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and have it look: it may not have been asleep yet."""
        self.at.clock.move(seconds)
        self.deliverer.wake()

    async def states(self) -> dict[str, str]:
        return {each["key"]: each["state"] for each in await self.at.store.deliveries()}

    async def only(self) -> dict[str, Any]:
        [found] = await self.at.store.deliveries()
        return dict(found)


@asynccontextmanager
async def desk(call: Call, **how: Any) -> AsyncIterator[Desk]:
    async with room() as at:
        made = Desk(at, call, **how)
        made.running = asyncio.create_task(made.deliverer.run(made.stopping))
        yield made
        await made.finish()


async def test_a_delivery_is_called_once_with_its_payload_and_its_key() -> None:
    calls: list[tuple[Any, Delivery]] = []

    async def tell(payload: dict[str, str], delivery: Delivery) -> None:
        calls.append((payload, delivery))

    async with desk(tell) as at:
        await at.intend("k1", order="o")
        await at.results()
        assert (await at.only())["state"] == "delivered"
    told = Delivery(idempotency_key="k1", attempt=1, service="shop", function="tell", order="o")
    assert calls == [({"to": "me"}, told)]


async def test_a_failed_call_is_made_again_with_the_same_key_when_its_time_has_come() -> None:
    seen: list[tuple[str, int]] = []

    async def tell(payload: Any, delivery: Delivery) -> None:
        seen.append((delivery.idempotency_key, delivery.attempt))
        if delivery.attempt == 1:
            raise ConnectionError("nobody there")

    async with desk(tell) as at:
        await at.intend("k1")
        await at.results()
        found = await at.only()
        assert (found["state"], found["error"]) == ("due", "ConnectionError: nobody there")
        assert 4 <= (found["next_at"] - at.at.clock.now_us()) / 1_000_000 <= 6
        at.pass_time(7)
        await at.results()
        assert (await at.only())["state"] == "delivered"
    assert seen == [("k1", 1), ("k1", 2)]


async def test_after_ten_attempts_a_delivery_is_dead() -> None:
    async def tell(payload: Any, delivery: Delivery) -> None:
        raise ConnectionError("nobody there")

    async with desk(tell) as at:
        await at.intend("k1")
        for _ in range(10):
            await at.results()
            at.pass_time(110_000)
        found = await at.only()
    assert (found["state"], found["attempts"]) == ("dead", 10)


async def test_a_call_that_must_not_be_repeated_is_dead_at_once() -> None:
    async def tell(payload: Any, delivery: Delivery) -> None:
        raise NotRetryable("they said no")

    async with desk(tell) as at:
        await at.intend("k1")
        await at.results()
        assert (await at.only())["state"] == "dead"


async def test_a_payload_that_cannot_be_read_is_dead_at_once_and_never_called() -> None:
    called = False

    async def tell(payload: dict[str, int], delivery: Delivery) -> None:
        nonlocal called
        called = True

    async with desk(tell) as at:
        await at.intend("k1", payload=b'{"to":"me"}')
        await at.results()
        found = await at.only()
    assert found["state"] == "dead"
    assert "InvalidDataError" in found["error"]
    assert not called


async def test_a_function_that_this_release_does_not_have_is_tried_again_later() -> None:
    async def tell(payload: Any, delivery: Delivery) -> None: ...

    async with desk(tell) as at:
        gone = store.Delivery(key="k1", service="shop", function="gone", payload=b"1")
        async with at.at.store.unit() as unit:
            await unit.intend([gone])
        at.deliverer.wake()
        await at.results()
        found = await at.only()
    assert found["state"] == "due"
    assert "there is no function 'gone' of shop" in found["error"]


async def test_a_call_that_takes_too_long_is_cancelled_and_has_failed() -> None:
    ended: list[bool] = []

    async def tell(payload: Any, delivery: Delivery) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with desk(tell, call_seconds=0.01) as at:
        await at.intend("k1")
        await at.results()
        found = await at.only()
    assert ended == [True]
    assert found["error"] == "TimeoutError: it took longer than 0.01 s and was cancelled"


async def test_a_call_that_cancels_itself_has_failed_and_ends_nothing_else() -> None:
    async def tell(payload: Any, delivery: Delivery) -> None:
        if delivery.idempotency_key == "k1":
            raise asyncio.CancelledError

    async with desk(tell) as at:
        await at.intend("k1", "k2")
        await at.results(2)
        assert await at.states() == {"k1": "due", "k2": "delivered"}


@pytest.mark.parametrize(
    "error", [SystemExit(7), KeyboardInterrupt(), GeneratorExit(), BaseExceptionGroup("g", [SystemExit()])]
)
async def test_a_call_that_would_end_its_process_has_failed(error: BaseException) -> None:
    async def tell(payload: Any, delivery: Delivery) -> None:
        raise error

    async with desk(tell) as at:
        await at.intend("k1")
        await at.results()
        found = await at.only()
    assert (found["state"], found["reason"]) == ("due", "handler-failed")
    assert type(error).__name__ in found["error"]


async def test_a_payload_class_that_would_end_its_process_is_a_failure_too() -> None:
    @dataclass
    class Letter:
        to: str

        def __post_init__(self) -> None:
            raise SystemExit(7)

    async def tell(payload: Letter, delivery: Delivery) -> None: ...

    tell.__annotations__["payload"] = Letter
    async with desk(tell) as at:
        await at.intend("k1")
        await at.results()
        found = await at.only()
    assert found["state"] == "due"
    assert "SystemExit: 7" in found["error"]


async def claimed_by_the_dead(at: Room, times: int) -> None:
    """Have this many processes claim what is there, and die with it."""
    for n in range(times):
        await at.store.claim_deliveries(owner=f"dead {n}", services=["shop"], limit=1, ttl=timedelta(seconds=60))
        at.clock.move(61)


async def test_a_call_that_ended_its_process_in_each_attempt_is_dead_and_not_made_again() -> None:
    calls: list[int] = []

    async def tell(payload: Any, delivery: Delivery) -> None:
        calls.append(delivery.attempt)

    async with room() as at:
        made = Desk(at, tell)
        await made.intend("k1")
        await claimed_by_the_dead(at, 10)
        made.running = asyncio.create_task(made.deliverer.run(made.stopping))
        await made.results()
        await made.finish()
        found = await made.only()
    assert calls == []
    assert (found["state"], found["reason"]) == ("dead", "process-died")
    assert found["error"].startswith("the process ended in each of 10 attempts")


async def test_a_call_whose_process_was_killed_a_few_times_has_its_ten_attempts_all_the_same() -> None:
    calls: list[int] = []

    async def tell(payload: Any, delivery: Delivery) -> None:
        calls.append(delivery.attempt)
        raise ConnectionError("nobody there")

    async with room() as at:
        made = Desk(at, tell)
        await made.intend("k1")
        await claimed_by_the_dead(at, 9)
        made.running = asyncio.create_task(made.deliverer.run(made.stopping))
        for _ in range(10):
            await made.results()
            made.pass_time(110_000)
        await made.finish()
        found = await made.only()
    assert calls == list(range(10, 20))
    assert (found["state"], found["reason"]) == ("dead", "handler-failed")


async def test_several_calls_are_on_their_way_at_once_but_not_too_many() -> None:
    go_on = asyncio.Event()
    under_way = most = 0
    full = asyncio.Event()

    async def tell(payload: Any, delivery: Delivery) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == CALLS:
            full.set()
        await go_on.wait()
        under_way -= 1

    async with desk(tell) as at:
        await at.intend(*[f"k{n}" for n in range(40)])
        await full.wait()
        go_on.set()
        await at.results(40)
        assert set((await at.states()).values()) == {"delivered"}
    assert most == CALLS


async def test_deliveries_of_one_order_are_made_one_after_the_other() -> None:
    calls: list[str] = []
    under_way = 0

    async def tell(payload: Any, delivery: Delivery) -> None:
        nonlocal under_way
        under_way += 1
        assert under_way == 1
        await asyncio.sleep(0)
        calls.append(delivery.idempotency_key)
        under_way -= 1

    keys = [f"k{n}" for n in range(10)]
    async with desk(tell) as at:
        await at.intend(*keys, order="customer 1")
        await at.results(10)
    assert calls == keys


async def test_stopping_waits_for_the_calls_under_way_and_writes_their_results() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def tell(payload: Any, delivery: Delivery) -> None:
        begun.set()
        await go_on.wait()

    async with room() as at:
        made = Desk(at, tell)
        running = asyncio.create_task(made.deliverer.run(made.stopping))
        await made.intend("k1")
        await begun.wait()
        made.stopping.set()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not running.done()
        go_on.set()
        await running
        assert (await made.only())["state"] == "delivered"


async def test_cancelling_ends_the_calls_and_settles_nothing() -> None:
    begun = asyncio.Event()

    async def tell(payload: Any, delivery: Delivery) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with room() as at:
        made = Desk(at, tell)
        running = asyncio.create_task(made.deliverer.run(made.stopping))
        await made.intend("k1")
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        found = await made.only()
    assert (found["state"], found["attempts"], found["error"]) == ("leased", 1, None)


async def test_the_call_of_a_process_that_died_is_made_again_with_the_same_key() -> None:
    calls: list[tuple[str, int]] = []
    called = asyncio.Event()

    async def tell(payload: Any, delivery: Delivery) -> None:
        calls.append((delivery.idempotency_key, delivery.attempt))
        called.set()

    def die(name: str) -> None:
        if name == "delivery:answered":
            raise SystemError(name)

    async with room() as at:
        first = Desk(at, tell)
        at.points.hook = die
        running = asyncio.create_task(first.deliverer.run(first.stopping))
        await first.intend("k1")
        await called.wait()
        first.stopping.set()
        await running
        at.clock.move(120)
        second = Desk(at, tell, owner="two")
        running = asyncio.create_task(second.deliverer.run(second.stopping))
        await second.results()
        second.stopping.set()
        await running
        assert (await second.only())["state"] == "delivered"
    assert calls == [("k1", 1), ("k1", 2)]


async def test_a_result_is_not_written_over_that_of_another_owner(caplog: pytest.LogCaptureFixture) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(payload: Any, delivery: Delivery) -> None:
        begun.set()
        await go_on.wait()
        raise ConnectionError("too late")

    async with desk(slow) as at:
        await at.intend("k1")
        await begun.wait()
        at.at.clock.move(61)
        [taken] = await at.at.store.claim_deliveries(owner="two", services=["shop"], limit=1, ttl=timedelta(seconds=60))
        await at.at.store.settle_delivery(taken, None)
        go_on.set()
        await at.finish()
        assert (await at.only())["state"] == "delivered"
    assert taken.attempt == 2
    assert caplog.records == []


async def test_a_store_out_of_reach_is_asked_again() -> None:
    calls: list[int] = []

    async def tell(payload: Any, delivery: Delivery) -> None:
        calls.append(delivery.attempt)

    async with desk(tell) as at:
        settle, asked = at.at.store.settle_delivery, asyncio.Event()

        async def unreachable(claimed: Any, reason: Any) -> None:
            at.at.store.settle_delivery = settle
            asked.set()
            raise StoreUnavailableError("the disk is full")

        at.at.store.settle_delivery = unreachable
        await at.intend("k1")
        await asked.wait()
        while not at.written._value:
            at.pass_time(2)
            await at.states()
        assert (await at.only())["state"] == "delivered"
    assert calls == [1]
