from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.unit.operations.stage import FAILED, SERVICES, OrderPaid, OrderPlaced, RateSet, Stage
from tidings.operations import lag as room
from tidings.operations.lag import ConsumerLag, lag
from tidings.ports import this_process
from tidings.services.service import Service
from tidings.store.reason import Reason


async def lags(stage: Stage, services: Sequence[Service] | None = SERVICES) -> dict[str, ConsumerLag]:
    return {each.name: each for each in await lag(stage.log, stage.store, stage.clock, services)}


async def test_a_consumer_that_never_ran_has_everything_before_it(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), OrderPaid("a"), RateSet(3))
    found = await lags(stage)
    assert {name: (each.state, each.entries) for name, each in found.items()} == {
        "billing": ("new", 1),
        "orders.order@1": ("new", 2),
        "orders.placed@1": ("inline", 0),
        "rates": ("new", 1),
    }


async def test_only_entries_of_the_types_it_reads_are_counted(stage: Stage) -> None:
    first, *_ = await stage.say(OrderPlaced("a", 1), RateSet(1), OrderPlaced("b", 1), RateSet(2), OrderPaid("a"))
    await stage.settle("billing", to=first)
    billing = (await lags(stage))["billing"]
    assert (billing.checkpoint, billing.entries, billing.at_least, billing.head) == (first, 1, False, 5)


async def test_seconds_are_the_age_of_the_first_entry_that_is_not_settled(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1))
    stage.clock.pass_by(seconds=10)
    [second] = await stage.say(OrderPlaced("b", 1))
    stage.clock.pass_by(seconds=5)
    assert (await lags(stage))["billing"].seconds == 15.0
    await stage.settle("billing", to=second - 1)
    assert (await lags(stage))["billing"].seconds == 5.0
    await stage.settle("billing", to=second)
    billing = (await lags(stage))["billing"]
    assert (billing.seconds, billing.entries) == (0.0, 0)


async def test_above_the_limit_a_lag_is_a_lower_bound(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "EXACT_UPTO", 3)
    await stage.say(*(RateSet(rate) for rate in range(3)))
    rates = (await lags(stage))["rates"]
    assert (rates.entries, rates.at_least) == (3, False)
    await stage.say(RateSet(4))
    rates = (await lags(stage))["rates"]
    assert (rates.entries, rates.at_least) == (3, True)


async def test_each_partition_counts_its_own_subjects(stage: Stage) -> None:
    await stage.store.register("billing", partitions=4, start=0)
    await stage.say(*(OrderPlaced(f"order-{n}", n) for n in range(40)))
    billing = (await lags(stage))["billing"]
    assert [partition.part for partition in billing.partitions] == [0, 1, 2, 3]
    assert all(0 < partition.entries < 40 for partition in billing.partitions)
    assert billing.entries == 40


async def test_parked_subjects_and_dead_letters_are_counted_beside_it(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), OrderPaid("a"), OrderPlaced("b", 1))
    later = stage.clock.now_us() + 1_000_000
    await stage.park("billing", "a", [1, 2], FAILED)
    await stage.park("billing", "b", [3], Reason(kind="handler-failed", error="ValueError: no", next_at=later))
    await stage.settle("billing", to=3)
    billing = (await lags(stage))["billing"]
    assert (billing.entries, billing.parked, billing.dead, billing.dead_letters) == (0, 2, 1, 3)


async def test_a_held_lease_is_seen_until_it_ends(stage: Stage) -> None:
    await stage.claim("rates")
    assert (await lags(stage))["rates"].state == "running"
    stage.clock.pass_by(seconds=9)
    assert (await lags(stage))["rates"].state == "stopped"


async def test_the_lease_of_a_dead_process_is_none(stage: Stage) -> None:
    boot = this_process().partition(":")[0]
    await stage.store.register("rates", partitions=1, start=0)
    await stage.store.claim("rates", owner=f"{boot}:1:another start", want=1, ttl=timedelta(seconds=8))
    assert (await lags(stage))["rates"].state == "stopped"


async def test_a_paused_consumer_says_why(stage: Stage) -> None:
    await stage.settle("rates", to=0)
    await stage.store.pause("rates", "20 subjects failed in a row")
    rates = (await lags(stage))["rates"]
    assert (rates.state, rates.paused) == ("paused", "20 subjects failed in a row")


async def test_what_the_application_does_not_declare_is_listed_and_marked(stage: Stage) -> None:
    await stage.settle("gone", to=0)
    await stage.say(RateSet(1))
    found = await lags(stage)
    assert (found["gone"].declared, found["gone"].types, found["gone"].entries) == (False, None, 1)
    assert found["rates"].declared is True
    assert {each.declared for each in (await lags(stage, None)).values()} == {None}


async def test_without_an_application_a_tables_own_note_says_what_it_reads(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), RateSet(1))
    found = await lags(stage, None)
    assert (found["orders.order@1"].entries, found["orders.placed@1"].state) == (1, "inline")


async def test_a_replaced_table_has_no_lag(stage: Stage) -> None:
    await stage.fold("order")
    view = stage.view("order")
    record = view.record(2, "building")
    await stage.store.create_view(record)
    await stage.settle("orders.order@2", to=0)
    assert await stage.store.swap_view(record, consumer="orders.order@2", replaced_consumer="orders.order@1")
    await stage.say(OrderPlaced("a", 1))
    found = await lags(stage)
    assert (found["orders.order@1"].state, found["orders.order@1"].entries) == ("replaced", 0)
    assert (found["orders.order@2"].state, found["orders.order@2"].entries) == ("stopped", 1)


async def test_a_checkpoint_beyond_the_head_counts_nothing(stage: Stage) -> None:
    await stage.store.register("rates", partitions=1, start=900)
    assert (await lags(stage))["rates"].entries == 0


async def test_what_runs_while_it_is_looked_stands_neither_beyond_the_head_nor_below_the_floor(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = await stage.say(RateSet(1), RateSet(2))
    await stage.settle("rates", to=first)
    consumers = stage.store.consumers

    async def meanwhile() -> Sequence[str]:
        [last] = await stage.say(RateSet(3))
        await stage.settle("rates", to=last)
        return await consumers()

    monkeypatch.setattr(stage.store, "consumers", meanwhile)
    rates = (await lags(stage))["rates"]
    assert (rates.checkpoint, rates.head, rates.entries) == (3, 3, 0)
