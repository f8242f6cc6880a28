"""What is taken up where it was left: an approval is of what was approved, and a plan ends no run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.reconciliation.shop import Shop, shop
from tests.unit.reconciliation.test_stopping import filled
from tidings.errors import ProviderUnavailableError, RefusedError
from tidings.reconciliation.kept.records import Run

GONE = [f"o{3 * n:04}" for n in range(20)]


async def held(at: Shop, keys: list[str] = GONE) -> Run:
    for key in keys:
        at.provider.items.pop(key, None)
    at.pass_time(10)
    run = await at.run()
    assert isinstance(run, Run)
    assert (run.state, run.held_count) == ("held", len(keys))
    return run


def broken(at: Shop) -> None:
    def trouble(what: str) -> None:
        raise ProviderUnavailableError("503")

    at.provider.trouble = trouble


def mended(at: Shop) -> None:
    at.provider.trouble = lambda what: None


async def test_an_approval_takes_up_no_other_one_that_waits() -> None:
    async with shop() as at:
        await filled(at, 60)
        items = dict(at.provider.items)
        more = await held(at)
        for key in GONE[12:]:
            at.provider.items[key] = items[key]
        less = await held(at, GONE[:12])
        broken(at)
        assert (await at.scope.approve(more.id, at_most=20)).state == "paused"
        mended(at)
        for key in GONE[12:]:
            del at.provider.items[key]
        at.pass_time(60)
        done = await at.scope.approve(less.id, at_most=12)
        assert (done.at_most, done.deleted, done.held) == (12, 12, tuple(sorted(GONE[12:])))


async def test_the_schedule_goes_on_with_an_approval_that_waits() -> None:
    every = timedelta(minutes=10)
    async with shop(every=every) as at:
        await filled(at, 60)
        run = await held(at)
        broken(at)
        paused = await at.scope.approve(run.id, at_most=20)
        mended(at)
        at.pass_time(700)
        await at.scope.begin_next(every)
        mode = await at.scope.waiting()
        assert mode == "approve"
        done = await at.scope.run(mode)
        await at.carry()
        assert (done.id, done.state, done.deleted) == (paused.id, "done", 20)
        assert await at.shown() == at.true


async def test_a_plan_ends_no_run_that_waits() -> None:
    async with shop() as at:
        await filled(at, 30)
        broken(at)
        paused = await at.run()
        mended(at)
        with pytest.raises(RefusedError, match=f"the run {paused.id} is paused"):
            await at.scope.run("plan")
        done = await at.run()
        assert (done.id, done.state) == (paused.id, "done")


async def test_what_was_applied_once_is_not_dry_then() -> None:
    async with shop() as at:
        await filled(at, 4)
        at.provider.put("o0001", 99)
        at.pass_time(10)
        run = await at.scope.run("run")
        assert (run.is_dry, run.appended) == (False, 1)


async def test_applying_takes_up_no_dry_run() -> None:
    async with shop() as at:
        at.provider.put("o1", 1)
        at.pass_time(10)
        broken(at)
        dry = await at.scope.run("run")
        assert (dry.state, dry.is_dry) == ("paused", True)
        mended(at)
        run = await at.scope.run("run", applies=True)
        assert (run.state, run.is_dry, run.appended) == ("done", False, 1)


async def test_a_dry_run_says_that_its_list_is_not_whole() -> None:
    async with shop() as at:
        await filled(at, 8)
        at.provider.bend = lambda page: replace(page, rows=page.rows[:2], total=8, next_cursor=None)
        run = await at.scope.run("plan")
        assert (run.state, run.breaches, run.appended) == ("incomplete", ("total",), 0)
        assert "total_differs" in {each.kind for each in await at.scope.findings(run=run.id)}


async def test_a_dry_run_does_not_hide_that_deletes_are_held() -> None:
    async with shop() as at:
        await filled(at, 60)
        run = await held(at)
        assert (await at.scope.run("plan")).is_dry
        last = (await at.scope.asof()).run
        assert last is not None
        assert (last.id, last.state) == (run.id, "held")


async def test_an_old_approval_deletes_nothing_that_was_listed_since() -> None:
    async with shop() as at:
        await filled(at, 60)
        items = dict(at.provider.items)
        old = await held(at)
        at.provider.items.update(items)
        at.pass_time(10)
        assert (await at.run()).state == "done"
        await held(at)
        done = await at.scope.approve(old.id, at_most=20)
        assert (done.state, done.deleted, done.held_count) == ("held", 0, 20)


async def test_a_run_is_approved_once() -> None:
    async with shop() as at:
        await filled(at, 60)
        run = await held(at)
        done = await at.scope.approve(run.id, at_most=20)
        assert (done.state, done.deleted) == ("done", 20)
        approved = await at.scope.that(run.id)
        assert (approved.state, approved.why) == ("done", f"it was approved: see the run {done.id}")
        with pytest.raises(RefusedError, match=f"it was approved: see the run {done.id}"):
            await at.scope.approve(run.id, at_most=20)
