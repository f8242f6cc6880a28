"""Runs that one process begins and another one carries; how old a bound may become; who holds up whom."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import cast

import pytest

from tests.unit.reconciliation.shop import SECOND, Shop, shop
from tests.unit.reconciliation.test_scope import filled
from tidings.app.reconciling import Schedule
from tidings.errors import NotFoundError, RefusedError, UnderWayError
from tidings.reconciliation.runs.beginning import Wanted
from tidings.store.driver import StoreDriver
from tidings.store.keyed import Request

RUN, PLAN = Wanted(mode="run", applies=True), Wanted(mode="plan")


async def look(at: Shop) -> None:
    """Have the process that carries the scope look once."""
    await Schedule([at.scope], at.opened.ports).look(at.scope, asyncio.Event())
    await at.carry()


async def test_a_run_that_was_begun_is_made_by_whoever_carries_the_scope() -> None:
    async with shop() as at:
        at.provider.put("o1", 1)
        at.pass_time(10)
        begun = await at.scope.begin(RUN, who="key 3f9a")
        assert (begun.state, begun.pages, await at.scope.waiting()) == ("running", 0, "run")
        await look(at)
        done = await at.scope.find(begun.id)
        assert done is not None
        assert (done.state, done.appended, await at.shown()) == ("done", 1, at.true)
        assert await at.scope.waiting() is None
        await look(at)
        assert len(await at.scope.runs()) == 1


async def test_a_plan_that_was_begun_stays_a_plan() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o03", 99)
        begun = await at.scope.begin(PLAN, who="local")
        await look(at)
        done = await at.scope.find(begun.id)
        assert done is not None
        assert (done.mode, done.is_dry, done.proposed, done.appended) == ("plan", True, 1, 0)


async def test_what_is_under_way_is_not_begun_again() -> None:
    async with shop() as at:
        await filled(at)
        begun = await at.scope.begin(RUN, who="local")
        with pytest.raises(UnderWayError, match=begun.id):
            await at.scope.begin(PLAN, who="local")


async def test_two_runs_that_one_process_makes_at_once_are_made_one_after_the_other() -> None:
    async with shop() as at:
        await filled(at, 30)
        at.provider.put("o03", 99)
        at.pass_time(10)
        listed = at.provider.listed
        done, plan = await asyncio.gather(at.scope.run("run", applies=True), at.scope.run("plan"))
        assert (done.mode, done.state, done.rows, done.appended) == ("run", "done", 30, 1)
        assert (plan.mode, plan.state, plan.rows) == ("plan", "done", 30)
        assert at.provider.listed - listed == done.pages + plan.pages == 16


async def test_a_run_is_begun_in_the_transaction_of_whoever_asks() -> None:
    async with shop() as at:
        store = at.opened.store
        request = Request(owner="o", route="POST /", key="k", fingerprint=b"f", at=1)
        with pytest.raises(ZeroDivisionError):
            async with store.keyed(request) as keyed:
                await at.scope.begin(RUN, who="local", store=cast(StoreDriver, keyed.store))
                raise ZeroDivisionError
        assert (await at.scope.runs(), await store.audit()) == ([], [])


async def test_begun_approved_and_cancelled_runs_are_audited() -> None:
    async with shop() as at:
        await filled(at, 30)
        for n in range(15):
            del at.provider.items[f"o{n:02}"]
        at.pass_time(5)
        await at.scope.begin(RUN, who="key a")
        await look(at)
        [held, *_] = await at.scope.runs()
        with pytest.raises(RefusedError, match="15 deletes, more than 14"):
            await at.scope.approval(held.id, at_most=14)
        wanted = Wanted(mode="approve", applies=True, approval=await at.scope.approval(held.id, at_most=15))
        approved = await at.scope.begin(wanted, who="key b", of=held.id)
        await look(at)
        done = await at.scope.find(approved.id)
        assert done is not None
        assert (done.state, done.deleted, await at.shown()) == ("done", 15, at.true)
        waits = await at.scope.begin(RUN, who="key c")
        await at.scope.cancel(waits.id, who="key d")
        assert [(each.who, each.what, each.on, each.reason) for each in reversed(await at.opened.store.audit())] == [
            ("key a", "reconcile-begun", "till-orders", "run"),
            ("key b", "reconcile-approved", "till-orders", f"up to 15 deletes of the run {held.id}"),
            ("key c", "reconcile-begun", "till-orders", "run"),
            ("key d", "reconcile-cancelled", "till-orders", waits.id),
        ]


async def test_whoever_carries_a_run_that_is_cancelled_goes_no_further() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o09", 99)

        async def cancel() -> None:
            [run, *_] = await at.scope.runs()
            await at.scope.cancel(run.id, who="local")

        at.provider.before = cancel
        await at.run()
        [run, *_] = await at.scope.runs()
        assert (run.state, run.why, run.pages, at.provider.listed) == ("failed", "it was cancelled", 0, 4)
        with pytest.raises(RefusedError, match="nothing to cancel"):
            await at.scope.cancel(run.id, who="local")
        with pytest.raises(NotFoundError):
            await at.scope.cancel("none", who="local")
        assert (await at.run()).appended == 1


async def test_a_run_whose_place_another_one_takes_is_not_under_way_any_more() -> None:
    async with shop() as at:
        await filled(at)
        begun = await at.scope.begin(PLAN, who="local")
        await at.run()
        left = await at.scope.find(begun.id)
        assert left is not None
        assert (left.state, left.why) == ("failed", "another run has taken its place")


async def test_asof_waits_for_nobody_who_holds_the_scope() -> None:
    async with shop() as at:
        await filled(at)
        told = await at.scope.asof()
        async with at.opened.store.unit() as unit:
            await unit.hold("till-orders")
            assert await asyncio.wait_for(at.scope.asof(), 5) == told


async def test_a_bound_is_overdue_once_it_is_twice_as_old_as_expected() -> None:
    async with shop(every=timedelta(minutes=10)) as at:
        await filled(at)
        bounds = await at.scope.asof()
        assert bounds.deletes is not None
        assert bounds.run is not None
        took = (bounds.run.ended or 0) - bounds.run.started
        assert bounds.expected == 600 * SECOND + took + SECOND + SECOND + SECOND  # period, run, margin, tick, copy
        limit = bounds.deletes + 2 * bounds.expected
        assert not bounds.is_overdue(limit)
        assert bounds.is_overdue(limit + 1)


async def test_what_was_never_proved_is_as_old_as_the_first_run() -> None:
    async with shop(every=timedelta(minutes=10)) as at:
        assert not (await at.scope.asof()).is_overdue(at.clock.now_us() + 10**15)
        await at.scope.run("run")
        bounds = await at.scope.asof()
        [first] = await at.scope.runs()
        now = first.started
        assert (bounds.deletes, bounds.staleness(now + SECOND)) == (None, SECOND)
        assert bounds.is_overdue(now + 3_600 * SECOND)


async def test_nothing_is_overdue_that_runs_only_when_it_is_asked_to() -> None:
    async with shop() as at:
        await filled(at)
        bounds = await at.scope.asof()
        assert (bounds.expected, bounds.is_overdue(at.clock.now_us() + 10**15)) == (None, False)


async def test_a_plan_still_shows_what_it_found_once_another_run_has_repaired_that() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o03", 99)
        at.pass_time(5)
        plan = await at.scope.run("plan")
        run = await at.run()
        [planned], [repaired] = await at.scope.findings(run=plan.id), await at.scope.findings(run=run.id)
        assert (planned, planned.key, planned.state) == (repaired, "o03", "merged")


async def test_a_run_that_is_due_takes_no_place_of_one_that_waits() -> None:
    async with shop(every=timedelta(minutes=10)) as at:
        await filled(at)
        begun = await at.scope.begin(PLAN, who="local")
        await look(at)
        [last, *_] = await at.scope.runs()
        assert (last.id, last.state, last.mode) == (begun.id, "done", "plan")
        at.pass_time(700)
        await look(at)
        [last, *_] = await at.scope.runs()
        assert (last.state, last.mode, last.is_dry) == ("done", "run", False)
