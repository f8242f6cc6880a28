"""Chirp's orders against Till's own history, by Till's list alone: no webhook ever comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from chirp.events import OrderDeleted
from chirp.orders import Order, orders
from chirp.reconciled import TillOrders
from chirp.till import TOLD

from tidings import App, Settings
from tidings.app import Opened
from tidings.demo.plan import Plan
from tidings.demo.till_listing import EMPTY, PARTIAL, Listing
from tidings.demo.till_table import Table
from tidings.ports import Ports
from tidings.reconciliation.scope import Reconciliation

CARRIED_WITHIN = 60


@dataclass
class World:
    """Till, listing over HTTP, and Chirp's orders."""

    plan: Plan
    table: Table
    listing: Listing
    opened: Opened
    scope: Reconciliation

    async def shown(self) -> dict[str, dict[str, Any]]:
        names = ("order_id", "user_id", "item", "state", "paid", "refunded", "revision")
        async with self.opened.store.unit() as unit:
            rows = await unit.sql.fetch(f"SELECT {', '.join(names)} FROM orders_order")
        return {row[0]: dict(zip(names, row, strict=True)) for row in rows}

    def true(self) -> dict[str, dict[str, Any]]:
        return {id: state_of(order) for id, order in self.table.orders.items()}

    async def proved(self, at: int) -> None:
        """Run the scope until the copy is proved right up to this, µs since 1970."""
        async with asyncio.timeout(CARRIED_WITHIN):
            while True:
                bounds = await self.scope.asof()
                if min(bounds.upserts or 0, bounds.deletes or 0) >= at:
                    return
                await self.scope.run("run", applies=True)
                await asyncio.sleep(0.1)


def state_of(order: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in order.items() if name != "updated_at"}


@asynccontextmanager
async def listed(table: Table) -> AsyncIterator[tuple[Listing, str]]:
    """Have Till's list served by HTTP; give its address, too."""
    listing, served = Listing(table, Ports().clock), web.Application()
    served.router.add_routes(listing.routes())
    runner = web.AppRunner(served)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield listing, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    plan = Plan.draw(11, events=900, lost=1.0)
    table = Table(plan.of_till, Ports().clock)
    async with listed(table) as (listing, url):
        app = App(orders)
        app.reconcile("till-orders", Order, TillOrders(url), events=[*TOLD.values(), OrderDeleted])
        async with app.open(Settings(database_url=f"sqlite:///{tmp_path / 'chirp.db'}")) as opened:
            yield World(plan, table, listing, opened, opened.scopes["till-orders"])


async def test_orders_end_right_without_a_single_webhook_and_the_bound_is_never_in_front_of_the_truth(
    world: World,
) -> None:
    happenings, moments = world.plan.of_till, 0
    assert not [each for each in world.plan.tellings if each.kind == "true"]
    for place in range(0, len(happenings), 12):
        world.table.happen(happenings[place].id)
        await world.scope.run("run", applies=True)
        moments += await told_truly(world)
    world.table.happen()
    await world.proved(world.table.changes[-1].at)
    assert await world.shown() == world.true()
    assert moments > 5
    assert world.listing.listings > PARTIAL
    deleted = {each.key for each in await world.scope.findings() if each.kind == "extra"}
    assert deleted <= {each.order_id for each in world.table.changes if each.order is None}


async def test_what_an_empty_list_and_a_partial_one_leave_out_is_not_deleted(world: World) -> None:
    world.table.happen()
    await world.proved(world.table.changes[-1].at)
    world.listing.listings = EMPTY - 1
    empty = await world.scope.run("run", applies=True)
    assert (empty.state, empty.rows, empty.deleted) == ("held", 0, 0)
    assert len(empty.held) == len(world.table.orders)
    world.listing.listings = PARTIAL - 1
    partial = await world.scope.run("run", applies=True)
    assert (partial.suspects > 0, partial.deleted) == (True, 0)
    assert await world.shown() == world.true()


async def told_truly(world: World) -> bool:
    """Compare what is told with Till's history; say whether anything was told."""
    bounds, shown = await world.scope.asof(), await world.shown()
    apart = {each.key for each in bounds.exceptions}
    for bound, deletes in ((bounds.upserts, False), (bounds.deletes, True)):
        if bound is None:
            continue
        for id in {each.order_id for each in world.table.changes} - apart:
            assert holds(world.table, id, shown.get(id), bound, deletes=deletes), (id, bound, deletes)
    return bounds.deletes is not None


def holds(table: Table, id: str, shown: dict[str, Any] | None, bound: int, *, deletes: bool) -> bool:
    """Say whether an order is shown as it was at the bound or later. `deletes`: also one that was gone by then."""
    changes = [each for each in table.changes if each.order_id == id]
    before = [n for n, each in enumerate(changes) if each.at <= bound]
    if not before or (not deletes and changes[before[-1]].order is None):
        return True
    states = [None if each.order is None else state_of(each.order) for each in changes[before[-1] :]]
    return shown in states or (not deletes and None in states)
