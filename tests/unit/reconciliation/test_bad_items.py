"""Items that a copy cannot hold, or must not believe: each costs its own key, and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.reconciliation.shop import SECOND, Item, Shop, shop
from tidings.reconciliation.listing import Page

HOUR = 3_600 * SECOND


async def filled(at: Shop, count: int = 8) -> None:
    for n in range(count):
        at.provider.put(f"o{n:02}", n)
    at.pass_time(10)
    assert (await at.run()).state == "done"
    at.pass_time(10)


def bent(at: Shop, key: str, **state: object) -> None:
    """Have one row say something else."""

    def bend(page: Page) -> Page:
        rows = [replace(row, state={**row.state, **state}) if row.key == key else row for row in page.rows]
        return replace(page, rows=rows)

    at.provider.bend = bend


async def excepted(at: Shop) -> dict[str, str]:
    return {each.key: each.reason for each in (await at.scope.asof()).exceptions}


async def test_what_a_copy_cannot_hold_is_an_exception_until_it_can() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o05", 99)
        bent(at, "o02", amount="many")
        at.pass_time(5)
        run = await at.run()
        assert (run.state, run.unreadable, run.appended, run.deleted) == ("done", 1, 1, 0)
        assert await excepted(at) == {"o02": "unreadable"}
        assert await at.shown() == at.true
        at.provider.bend = lambda page: page
        at.pass_time(60)
        await at.run()
        assert await excepted(at) == {}


async def test_an_oversized_item_costs_no_other() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o05", 99)
        bent(at, "o02", order_id="o02", note="x" * 1_000_000)
        at.pass_time(5)
        run = await at.run()
        assert (run.state, run.appended) == ("done", 1)
        assert await at.shown() == at.true


async def test_an_item_from_the_future_does_not_win_for_ever() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.items["o02"] = Item(1_000, at.clock.now_us() + HOUR)
        at.provider.put("o05", 99)
        at.pass_time(5)
        run = await at.run()
        assert (run.state, run.deleted) == ("done", 0)
        assert (await at.shown())["o05"] == 99
        at.pass_time(60)
        at.provider.put("o02", 2_000)
        at.pass_time(5)
        await at.run()
        await at.scope.read_dirty()
        await at.carry()
        assert await at.shown() == at.true
        assert await excepted(at) == {}


@pytest.mark.parametrize("ahead", [HOUR, 3_000_000 * HOUR])
async def test_an_answer_from_the_future_does_not_win_for_ever(ahead: int) -> None:
    """Nor does its webhook, whose key is read at once, however far ahead it claims to be."""
    async with shop() as at:
        await filled(at)
        at.provider.items["o02"] = Item(1_000, at.clock.now_us() + ahead)
        await at.webhook("o02", id="w1")
        await at.carry()
        assert (await at.shown())["o02"] == 2
        at.pass_time(5)
        assert await at.scope.read_dirty() == 1
        await at.carry()
        assert (await at.shown())["o02"] == 1_000
        assert await excepted(at) == {}
        at.pass_time(60)
        at.provider.put("o02", 2_000)
        await at.webhook("o02", id="w2")
        await at.carry()
        assert await at.shown() == at.true


async def test_a_change_from_the_future_does_not_win_for_ever() -> None:
    async with shop(filters_by_change=True) as at:
        await filled(at)
        at.provider.items["o02"] = Item(1_000, at.clock.now_us() + HOUR)
        at.pass_time(5)
        assert (await at.run_changed()).appended == 1
        at.pass_time(60)
        at.provider.put("o02", 2_000)
        at.pass_time(5)
        assert (await at.run_changed()).appended == 1
        assert await at.shown() == at.true


async def test_a_stamp_is_believed_as_far_ahead_as_the_clocks_may_be_apart() -> None:
    async with shop(clock_skew=timedelta(seconds=30)) as at:
        await filled(at)
        at.provider.items["o02"] = Item(1_000, at.clock.now_us() + 30 * SECOND)
        await at.webhook("o02", id="w1")
        await at.carry()
        assert await excepted(at) == {}
        assert await at.shown() == at.true
