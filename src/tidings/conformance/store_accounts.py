"""What holds between processes that ask one account of a provider: its rate is kept by all of them together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import SystemRandom

import pytest

from tidings.conformance.store_harness import SharedStoreHarness
from tidings.ports import Ports
from tidings.reconciliation.rules.facts import Rate
from tidings.reconciliation.rules.purses import Priority
from tidings.reconciliation.runs.budget import Budget
from tidings.store.driver import StoreDriver

RATE = Rate(per_second=40, burst=20)
PROCESSES = 4


class SharingAccounts:
    """A mixin of `SharedStoreSuite`."""

    async def test_processes_that_ask_at_once_draw_no_token_twice(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        budgets = await _processes(store, harness)
        asked = [each.draw(Priority.LIVE) for each in budgets for _ in range(RATE.burst)]
        waits = await asyncio.gather(*asked)
        assert waits.count(0.0) == RATE.burst

    async def test_processes_keep_the_rate_of_an_account_together(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        budgets = await _processes(store, harness)
        drawn = 0
        for _ in range(100):
            drawn += sum([await _all_of(each, Priority.LIVE) for each in budgets])
            harness.clock.move(0.05)
        # What is missing was drawn as a portion and not used in time.
        assert 0.9 * RATE.per_second * 5 <= drawn <= RATE.burst + RATE.per_second * 5

    async def test_whole_lists_have_their_share_of_it_together(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        budgets = await _processes(store, harness)
        drawn = 0
        for _ in range(100):
            drawn += sum([await _all_of(each, Priority.BULK) for each in budgets])
            harness.clock.move(0.05)
        share = RATE.per_second * RATE.bulk_share * 5
        assert 0.8 * share <= drawn <= share + 2

    async def test_who_is_told_to_wait_has_all_processes_wait(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        budgets = await _processes(store, harness)
        for _ in range(2):  # by which they have more at hand
            assert [await each.draw(Priority.LIVE) for each in budgets] == [0.0] * len(budgets)
        assert await budgets[0].limit(30.0, 0) == 30.0
        for priority in Priority:
            assert [await each.draw(priority) for each in budgets] == [30.0] * len(budgets)
        assert await budgets[1].limit(5.0, 0) == 5.0  # one that had asked before asks for no less
        harness.clock.move(29.0)
        assert [await each.draw(Priority.LIVE) for each in budgets] == [1.0] * len(budgets)
        harness.clock.move(1.0)
        assert {await each.draw(Priority.LIVE) for each in budgets} == {0.0}

    async def test_a_process_that_cannot_read_has_no_other_wait(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        one, other, *_ = await _processes(store, harness)
        wait = one.fail(10)
        assert await one.draw(Priority.LIVE) == pytest.approx(wait)
        assert await other.draw(Priority.LIVE) == 0.0

    async def test_what_an_account_was_asked_outlives_who_asked(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        for _ in range(RATE.burst):
            assert await _process(store, harness).draw(Priority.LIVE) in (0.0, 1 / RATE.per_second)
        await store.close()
        assert await _process(await harness.reopen(), harness).draw(Priority.LIVE) == 1 / RATE.per_second

    async def test_accounts_have_nothing_to_do_with_each_other(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        one, other = _process(store, harness), _process(store, harness, account="other")
        await one.limit(30.0, 0)
        assert (await one.draw(Priority.LIVE), await other.draw(Priority.LIVE)) == (30.0, 0.0)


async def _processes(store: StoreDriver, harness: SharedStoreHarness) -> Sequence[Budget]:
    stores = [store, await harness.reopen()]
    return [_process(stores[n % 2], harness) for n in range(PROCESSES)]


def _process(store: StoreDriver, harness: SharedStoreHarness, *, account: str = "till") -> Budget:
    return Budget(account, RATE, Ports(clock=harness.clock, random=SystemRandom()), store)


async def _all_of(budget: Budget, priority: Priority) -> int:
    """Return how many reads may be made now."""
    count = 0
    while await budget.draw(priority) == 0.0:
        count += 1
    return count
