from __future__ import annotations

import asyncio

import pytest

from tests.unit.telemetry.scrape import named, scrape
from tests.unit.telemetry.shop import TTL, carry, opened_shop, placed
from tidings.errors import CheckpointMovedError, StoreUnavailableError
from tidings.ports import Ports, SystemClock
from tidings.store.deliveries import Delivery
from tidings.store.reason import Reason


async def test_calls_are_counted_by_handler_and_outcome_when_they_are_kept() -> None:
    async with opened_shop() as opened:
        await opened.log.append([placed("a"), placed("b", "fail"), placed("c", "refuse"), placed("d")])
        await carry(opened, "shop")
        samples = await scrape(opened)
        # The page was begun together, and then done again entry by entry: what was rolled back is not counted.
        assert named(samples, "tidings_handler_total") == {
            ("check", "ok", "shop"): 2,
            ("send", "ok", "shop"): 2,
            ("tell", "ok", "shop"): 2,
            ("check", "retry", "shop"): 1,
            ("send", "parked", "shop"): 1,
        }
        assert named(samples, "tidings_retries_total") == {("handler-failed", "shop"): 1}
        assert samples["tidings_handler_duration_seconds_count", ("check", "shop")] >= 4
        assert named(samples, "tidings_inflight") == {("shop",): 0}


async def test_an_entry_that_no_handler_can_read_is_counted_without_one() -> None:
    async with opened_shop() as opened:
        await opened.log.append([placed("a", "fail")])
        await carry(opened, "shop")
        await opened.log.append([placed("b").__class__(id="b", source="web", type="placed", data=b"[]")])
        await carry(opened, "shop")
        handled = named(await scrape(opened), "tidings_handler_total")
        assert handled == {("check", "retry", "shop"): 1, ("", "parked", "shop"): 1}


async def test_a_redrive_that_fails_again_is_counted_again() -> None:
    async with opened_shop() as opened:
        await opened.log.append([placed("a", "fail")])
        await carry(opened, "shop")
        await opened.store.schedule_redrive("shop", "a", at=0)
        consumer = (await opened.carrying.consumers())["shop"]
        consumer._work._next_due = 0
        await consumer.step(asyncio.Event())
        samples = await scrape(opened)
        assert samples["tidings_handler_total", ("check", "retry", "shop")] == 2
        assert samples["tidings_retries_total", ("handler-failed", "shop")] == 2


async def test_what_waits_and_how_far_everything_is_behind_is_looked_up() -> None:
    async with opened_shop() as opened:
        await opened.log.append([placed("a", "fail"), placed("a2", subject="a"), placed("b", "refuse")])
        await carry(opened, "shop")
        samples = await scrape(opened)
        lagging = {("shop", "0"): 0, ("shop.order@1", "0"): 3}
        assert named(samples, "tidings_consumer_lag_entries") == lagging
        assert {name: seconds > 0 for name, seconds in named(samples, "tidings_consumer_lag_seconds").items()} == {
            ("shop", "0"): False,
            ("shop.order@1", "0"): True,
        }
        assert named(samples, "tidings_dead_letters") == {("shop",): 3, ("shop.order@1",): 0}
        assert named(samples, "tidings_parked_subjects") == {("shop",): 2, ("shop.order@1",): 0}
        assert named(samples, "tidings_view_position") == {("shop.order",): 0}
        assert samples["tidings_log_head", ()] == 3
        assert samples["tidings_parked_oldest_seconds", ("shop",)] > 0


class StoodClock(SystemClock):
    """A clock that stands until it is set."""

    at = 1_000.0

    def monotonic(self) -> float:
        return self.at


async def test_log_and_store_are_looked_at_once_a_second_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, looks = StoodClock(), 0
    async with opened_shop(Ports(clock=clock)) as opened:
        consumers = opened.store.consumers

        async def counted() -> object:
            nonlocal looks
            looks += 1
            return await consumers()

        monkeypatch.setattr(opened.store, "consumers", counted)
        await asyncio.gather(*(scrape(opened) for _ in range(20)))
        once = looks
        assert once > 0
        clock.at += 0.99
        await scrape(opened)
        assert looks == once
        clock.at += 0.02
        await scrape(opened)
        assert looks == 2 * once


async def test_what_does_not_answer_is_said_to_be_not_connected_and_the_rest_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailableError("gone")

    async with opened_shop() as opened:
        await opened.log.append([placed("a")])
        monkeypatch.setattr(opened.store, "consumers", fail)
        samples = await scrape(opened)
        assert (samples["tidings_log_connected", ()], samples["tidings_store_connected", ()]) == (1, 0)
        assert samples["tidings_append_total", ("appended", "placed")] == 1
        assert named(samples, "tidings_consumer_lag_entries") == {}


async def test_no_view_stands_beyond_the_head_that_is_shown_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened_shop() as opened:
        await opened.log.append([placed("a")])
        consumers = opened.store.consumers

        async def meanwhile() -> object:
            head = (await opened.log.head()).position
            await opened.log.append([placed(f"b{head}")])
            await carry(opened, "shop.order@1")
            return await consumers()

        monkeypatch.setattr(opened.store, "consumers", meanwhile)
        samples = await scrape(opened)
        assert samples["tidings_log_head", ()] >= samples["tidings_view_position", ("shop.order",)] > 1


async def test_rows_folded_again_are_counted_by_view() -> None:
    async with opened_shop() as opened:
        await opened.log.append([placed("a", subject="x", time="2026-05-04T10:00:02Z")])
        await carry(opened, "shop.order@1")
        assert named(await scrape(opened), "tidings_refolds_total") == {}
        await opened.log.append([placed("b", subject="x", time="2026-05-04T10:00:01Z")])
        await carry(opened, "shop.order@1")
        assert named(await scrape(opened), "tidings_refolds_total") == {("shop.order",): 1}


async def test_a_write_under_a_lease_that_is_lost_is_counted_and_so_is_the_lease() -> None:
    async with opened_shop() as opened:
        await opened.store.register("shop", partitions=1, start=0)
        [old] = await opened.store.claim("shop", owner="old", want=1, ttl=TTL - TTL)
        await opened.store.claim("shop", owner="new", want=1, ttl=TTL)
        with pytest.raises(CheckpointMovedError):
            async with opened.store.unit(old) as unit:
                unit.advance(to=0)
        with pytest.raises(CheckpointMovedError):
            await opened.store.reschedule(old, "a", Reason(kind="handler-failed", error="x", next_at=None))
        assert await opened.store.renew([old], ttl=TTL) == []
        samples = await scrape(opened)
        assert named(samples, "tidings_fenced_writes_total") == {("shop",): 2}
        assert named(samples, "tidings_leases_lost_total") == {("shop",): 1}
        assert named(samples, "tidings_handler_total") == {}


async def test_a_delivery_that_is_made_again_is_counted_with_its_service() -> None:
    async with opened_shop() as opened:
        async with opened.store.unit() as unit:
            await unit.intend([Delivery(key="k", service="shop", function="mail", payload=b"{}")])
        claim = {"owner": "a test", "services": ["shop"], "limit": 1, "ttl": TTL}
        [claimed] = await opened.store.claim_deliveries(**claim)
        await opened.store.settle_delivery(claimed, Reason(kind="handler-failed", error="x", next_at=1))
        [claimed] = await opened.store.claim_deliveries(**claim)
        await opened.store.settle_delivery(claimed, None)
        with pytest.raises(CheckpointMovedError):
            await opened.store.settle_delivery(claimed, None)
        samples = await scrape(opened)
        assert named(samples, "tidings_retries_total") == {("handler-failed", "shop"): 1}
        assert named(samples, "tidings_fenced_writes_total") == {("deliveries",): 1}
