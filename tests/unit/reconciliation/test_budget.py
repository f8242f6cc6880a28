"""What an account may be asked, by processes that share it and whole lists that take all they may."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.unit.reconciliation.virtual import VirtualClock, run_virtually
from tidings import App, Service
from tidings.ports import Ports
from tidings.reconciliation.rules.facts import Rate
from tidings.reconciliation.rules.purses import Priority
from tidings.reconciliation.runs.budget import Budget
from tidings.settings import Settings

RATE = Rate(per_second=10, burst=20, bulk_share=0.5)


@asynccontextmanager
async def processes(count: int) -> AsyncIterator[list[Budget]]:
    """Return the budget of one account as so many processes have it."""
    ports = Ports(clock=VirtualClock(), random=random.Random(1))
    settings = Settings(database_url="sqlite:///:memory:")
    async with App(Service("orders")).open(settings, ports=ports, consume=False) as opened:
        yield [Budget("till", RATE, ports, opened.store) for _ in range(count)]


async def asking(budget: Budget, priority: Priority, asked: Counter[Priority]) -> None:
    """Ask as often as may be, for ever."""
    while True:
        await budget.take(priority)
        asked[priority] += 1


async def asked_in(seconds: float, *askers: tuple[Budget, Priority]) -> Counter[Priority]:
    """Return how much was asked at most in this time."""
    asked: Counter[Priority] = Counter()
    tasks = [asyncio.ensure_future(asking(budget, priority, asked)) for budget, priority in askers]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return asked


def test_live_reads_are_never_starved() -> None:
    async def work() -> None:
        async with processes(3) as (mine, *others):
            greedy = [(each, priority) for each in others for priority in (Priority.BULK, Priority.VERIFY)]
            lists = asyncio.ensure_future(asked_in(30.0, *greedy))
            waits = []
            for _ in range(25):  # somebody waits for one each second
                await asyncio.sleep(1.0)
                waits.append(await mine.draw(Priority.LIVE))
            asked = await lists
            assert waits == [0.0] * 25
            assert asked[Priority.BULK] + asked[Priority.VERIFY] > 150

    run_virtually(work())


def test_all_processes_together_keep_the_rate() -> None:
    async def work() -> None:
        async with processes(3) as budgets:
            asked = await asked_in(30.0, *((each, Priority.LIVE) for each in budgets))
            assert asked.total() <= RATE.burst + 30 * RATE.per_second
            assert asked.total() > 0.9 * 30 * RATE.per_second
            asked = await asked_in(60.0, *((each, Priority.BULK) for each in budgets))
            assert 0.9 * 300 < asked.total() <= 60 * RATE.per_second * RATE.bulk_share + RATE.burst

    run_virtually(work())


@pytest.mark.parametrize("priority", list(Priority))
def test_retry_after_stops_every_priority(priority: Priority) -> None:
    async def work() -> None:
        async with processes(2) as (one, other):
            for _ in range(2):  # the second time it draws more than it uses, and may not use that either
                await other.draw(priority)
            began: Any = asyncio.get_running_loop().time()
            assert await one.limit(7.0, 1) == 7.0
            for each in (one, other):
                assert (await each.draw(priority), each.paused) == (7.0, 7.0)
            await other.take(priority)
            assert asyncio.get_running_loop().time() - began >= 7.0

    run_virtually(work())


def test_bulk_rate_recovers() -> None:
    async def work() -> None:
        async with processes(2) as (one, other):
            await one.limit(0.0, 1)
            halved = await asked_in(60.0, (other, Priority.BULK))
            assert 0.8 * 150 < halved.total() <= 170
            await asyncio.sleep(8 * 60)  # a tenth more each minute: twice as much
            found = await asked_in(60.0, (other, Priority.BULK))
            assert 0.9 * 300 < found.total() <= 330

    run_virtually(work())
