from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.reconciliation.shop import SECOND, Order, OrderGone, Orders, OrderSeen, Provider, orders_service, shop
from tidings import App
from tidings.app.reconciling import Schedule
from tidings.errors import DeclarationError
from tidings.reconciliation.rules.times import checked_every, is_kept, start_after
from tidings.testing.clock import NOON_US, StandingClock
from tidings.views.columns import microseconds

MINUTE = 60 * SECOND


def test_an_interval_is_a_tenth_shorter_or_longer() -> None:
    draw = random.Random(1)
    starts = [start_after(timedelta(minutes=10), NOON_US, draw.random()) - NOON_US for _ in range(1_000)]
    assert 9 * MINUTE <= min(starts) < 9.1 * MINUTE
    assert 10.9 * MINUTE < max(starts) <= 11 * MINUTE


@pytest.mark.parametrize(
    ("cron", "first", "latest"),
    [
        ("0 3 * * *", datetime(2026, 1, 2, 3, tzinfo=UTC), 5 * MINUTE),
        ("*/10 * * * *", datetime(2026, 1, 1, 12, 10, tzinfo=UTC), 1 * MINUTE),
        ("30 4 1 * *", datetime(2026, 2, 1, 4, 30, tzinfo=UTC), 5 * MINUTE),
        ("0 9 * * MON", datetime(2026, 1, 5, 9, tzinfo=UTC), 5 * MINUTE),
    ],
)
def test_a_time_that_cron_names_is_kept_or_passed_by_a_little(cron: str, first: datetime, latest: int) -> None:
    assert start_after(cron, NOON_US, 0.0) == microseconds(first)
    assert start_after(cron, NOON_US, 1.0) == microseconds(first) + latest


@pytest.mark.parametrize(
    "every", ["61 * * * *", "daily", "0 3 * *", "0 3 31 2 *", "", timedelta(0), timedelta(hours=-1)]
)
def test_what_has_no_next_time_is_no_schedule(every: Any) -> None:
    with pytest.raises(DeclarationError, match="every="):
        checked_every(every, "every")
    app = App(orders_service())
    with pytest.raises(DeclarationError, match="till-orders: every="):
        app.reconcile("till-orders", Order, Orders(Provider(StandingClock())), events=[OrderSeen], every=every)


def test_changes_of_a_list_that_cannot_show_them_are_not_scheduled() -> None:
    listing = Orders(Provider(StandingClock()))
    app, events = App(orders_service()), [OrderSeen, OrderGone]
    with pytest.raises(DeclarationError, match="does not filter by change"):
        app.reconcile("till-orders", Order, listing, events=events, every=("0 3 * * *", timedelta(minutes=1)))


def test_a_start_that_another_schedule_has_set_is_not_kept() -> None:
    tomorrow = NOON_US + 24 * 60 * MINUTE
    assert is_kept(tomorrow, timedelta(days=1), NOON_US)
    assert not is_kept(tomorrow, timedelta(minutes=10), NOON_US)
    assert not is_kept(tomorrow, "0 * * * *", NOON_US)


async def test_each_start_is_taken_by_one_process_and_survives_them_all() -> None:
    async with shop() as at:
        other, every = at.other_process(), timedelta(minutes=10)
        taken = await asyncio.gather(*(each.begin_next(every) for each in (at.scope, other, at.scope)))
        assert sorted(taken) == [False, False, True]
        at.pass_time(8 * 60)
        assert not await other.begin_next(every)
        at.pass_time(4 * 60)
        assert [await each.begin_next(every) for each in (other, at.scope)] == [True, False]


async def test_a_scope_with_times_waits_for_the_first_and_makes_up_for_one_that_it_missed() -> None:
    async with shop() as at:
        every = "0 3 * * *"
        assert not await at.scope.begin_next(every)
        at.clock.move(NOON_US + 15 * 60 * MINUTE - SECOND)
        assert not await at.scope.begin_next(every)
        at.clock.move(NOON_US + 3 * 24 * 60 * MINUTE)
        assert [await at.scope.begin_next(every) for _ in range(2)] == [True, False]


async def test_a_schedule_that_was_changed_holds_at_once() -> None:
    async with shop() as at:
        assert await at.scope.begin_next(timedelta(days=30))
        assert not await at.scope.begin_next(timedelta(minutes=1))
        at.pass_time(70)
        assert await at.scope.begin_next(timedelta(minutes=1))


async def test_whole_lists_and_changes_have_each_their_time() -> None:
    async with shop(filters_by_change=True, every=(timedelta(hours=1), timedelta(minutes=1))) as at:
        schedule, stopping = Schedule([at.scope], at.opened.ports), asyncio.Event()
        for minute in range(150):
            at.provider.put(f"o{minute % 20:02}", minute)
            at.pass_time(60)
            await schedule.look(at.scope, stopping)
            await at.carry()
            await schedule.look_for_changes(at.scope, stopping)
            await at.carry()
        modes = [each.mode for each in await at.scope.runs(limit=500)]
        assert 2 <= modes.count("run") <= 4  # the first one was dry
        assert 45 <= modes.count("changed") <= 85
        found = await at.scope.asof()
        assert (found.upserts or 0) > at.clock.now_us() - 3 * MINUTE > (found.deletes or 0)
