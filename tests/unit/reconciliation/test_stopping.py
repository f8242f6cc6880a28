"""With more than a hundred exceptions the bounds stand still where they were told last, until there are less."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.reconciliation.shop import Shop, shop
from tests.unit.reconciliation.test_told import problem
from tidings.errors import ProviderUnavailableError
from tidings.faces.scopes import bounds_object
from tidings.reconciliation.asof import Bounds
from tidings.reconciliation.listing import Page

SECOND = 1_000_000


async def filled(at: Shop, count: int) -> None:
    for n in range(count):
        at.provider.put(f"o{n:04}", n)
    at.pass_time(10)
    assert (await at.run()).state == "done"
    at.pass_time(10)


def unread(at: Shop, count: int) -> None:
    """Have the adapter make no row of so many."""
    keys = {f"o{n:04}" for n in range(count)}

    def bend(page: Page) -> Page:
        rows = [replace(row, state={}, unreadable="no") if row.key in keys else row for row in page.rows]
        return replace(page, rows=rows)

    at.provider.bend = bend


async def ran(at: Shop) -> Bounds:
    """Run a minute later, and return what may be told."""
    at.pass_time(60)
    run = await at.run()
    bounds = await at.scope.asof()
    assert run.state == "done"
    if bounds.is_stopped:
        assert run.bounds == (bounds.upserts, bounds.deletes)
    return bounds


async def stopped(at: Shop, told: Bounds) -> Bounds:
    """Run until there are too many; what the run had proved by then was told, and no more of it."""
    began = at.clock.now_us()
    found = await ran(at)
    assert found.is_stopped
    for stands, was in ((found.upserts, told.upserts), (found.deletes, told.deletes)):
        assert stands is not None
        assert was is not None
        assert was <= stands < began
    return found


async def test_hundred_and_one_exceptions_stop_t() -> None:
    async with shop() as at:
        await filled(at, 110)
        at.pass_time(10)
        unread(at, 100)
        told = await ran(at)
        assert (told.is_stopped, len(told.exceptions)) == (False, 100)
        assert await problem(at) is None
        unread(at, 101)
        stood = await stopped(at, told)
        for _ in range(2):  # and it stays so
            found = await ran(at)
            assert (found.is_stopped, len(found.exceptions)) == (True, 101)
            assert (found.upserts, found.deletes) == (stood.upserts, stood.deletes)
            assert bounds_object(found, now=at.clock.now_us())["stopped"]
            assert "till-orders is right but for 101 items, so its bounds stand still" in (await problem(at) or "")
        unread(at, 99)
        found = await ran(at)
        assert not found.is_stopped
        assert (found.upserts or 0) >= (stood.upserts or 0) + 180 * SECOND
        assert (found.deletes or 0) >= (stood.deletes or 0) + 180 * SECOND


async def test_hundred_and_one_suspects_stop_t_though_each_page_closes_what_it_asks_anew() -> None:
    async with shop() as at:
        await filled(at, 1_212)
        told = await ran(at)
        for n in range(101):
            del at.provider.items[f"o{n * 12:04}"]

        def trouble(what: str) -> None:
            if what == "get":
                raise ProviderUnavailableError("not now")

        at.provider.trouble = trouble
        stood = await stopped(at, told)
        for _ in range(2):
            found = await ran(at)
            assert (found.is_stopped, len(found.exceptions)) == (True, 101)
            assert (found.upserts, found.deletes) == (stood.upserts, stood.deletes)
        at.provider.trouble = lambda what: None
        found = await ran(at)
        assert (found.is_stopped, found.exceptions) == (False, ())
        assert (found.deletes or 0) > (told.deletes or 0)
        assert await at.shown() == at.true


async def test_what_was_never_told_is_not_told_with_many_exceptions_either() -> None:
    async with shop() as at:
        for n in range(110):
            at.provider.put(f"o{n:04}", n)
        unread(at, 101)
        at.pass_time(10)
        await at.run()
        found = await at.scope.asof()
        assert (found.is_stopped, found.upserts, found.deletes) == (True, None, None)
