"""Runs that are long over are forgotten with what they found; what was counted stays counted."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.reconciliation.shop import Shop, shop
from tests.unit.reconciliation.test_drift import corrections, settled
from tests.unit.reconciliation.test_reports import parked
from tests.unit.reconciliation.test_scope import filled
from tidings.operations.pruning import RUNS_DAYS, prune
from tidings.reconciliation.kept.forgetting import forget_runs

DAY = 24 * 3_600


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = "sqlite:///:memory:" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return found


async def pruned(at: Shop) -> int:
    return (await prune(at.opened.store, at.clock, asyncio.Event())).runs


async def test_old_runs_go_with_their_findings_and_corrections_stay(url: str) -> None:
    async with shop(url=url) as at:
        await settled(at)
        counted = await corrections(at)
        at.pass_time(RUNS_DAYS * DAY + 60)
        at.provider.put("o03", 99)
        at.pass_time(5)
        last = await at.run()
        assert await pruned(at) == 11  # a run, and the ten items that it found
        assert [each.id for each in await at.scope.runs()] == [last.id]
        assert [(each.key, each.run) for each in await at.scope.findings()] == [("o03", last.id)]
        assert await corrections(at) == counted
        kinds = await at.scope.counts()
        assert (kinds["finding"], kinds["found"], kinds["awaited"], kinds["young"]) == (1, 1, 1, 1)
        assert await pruned(at) == 0
        assert (await at.run()).equal == 10


async def test_the_last_run_stays_however_old_it_is() -> None:
    async with shop() as at:
        await settled(at)
        bounds = await at.scope.asof()
        at.pass_time(2 * RUNS_DAYS * DAY)
        assert await pruned(at) == 0
        assert (await at.scope.asof()).run == bounds.run


async def test_what_waits_to_be_merged_stays_with_its_run() -> None:
    async with shop() as at:
        await filled(at)
        await parked(at)
        at.pass_time(2 * RUNS_DAYS * DAY)
        await at.scope.run("plan")
        await pruned(at)
        assert {each.kind for each in await at.scope.findings() if each.key == "o03"} == {"stale", "parked"}


async def test_a_large_run_is_forgotten_little_by_little(url: str) -> None:
    async with shop(url=url) as at:
        await filled(at)
        await at.run()
        before = at.clock.now_us() + 1
        gone = [await forget_runs(at.opened.store, "till-orders", before=before, limit=4) for _ in range(4)]
        assert gone == [4, 4, 3, 0]
