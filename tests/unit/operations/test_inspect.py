from __future__ import annotations

import asyncio

import pytest

from tests.unit.operations.stage import SERVICES, OrderPaid, OrderPlaced, RateSet, Stage
from tidings.errors import NotFoundError
from tidings.events.filter import Filter
from tidings.events.patterns.grammar import compile_pattern
from tidings.operations import dead, inspect
from tidings.store.audit import Change


async def test_the_tail_of_an_empty_log_is_empty(stage: Stage) -> None:
    assert await inspect.tail(stage.log) == ((), 0)


async def test_the_tail_is_the_last_entries_oldest_first(stage: Stage) -> None:
    await stage.say(*(RateSet(rate) for rate in range(30)))
    entries, upto = await inspect.tail(stage.log, limit=3)
    assert [entry.position for entry in entries] == [28, 29, 30]
    assert upto == 30


async def test_the_tail_finds_the_last_of_what_is_rare(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), *(RateSet(rate) for rate in range(200)), OrderPaid("a"))
    entries, _ = await inspect.tail(stage.log, where=Filter(subject="a"), limit=5)
    assert [entry.position for entry in entries] == [1, 202]
    entries, _ = await inspect.tail(stage.log, where=Filter(types=frozenset(["order-placed"])), limit=1)
    assert [entry.position for entry in entries] == [1]


async def test_the_tail_finds_the_last_that_a_pattern_matches_and_following_yields_those_that_it_does(
    stage: Stage,
) -> None:
    seven = compile_pattern({"data": {"rate": [7]}})
    await stage.say(RateSet(7), *(RateSet(rate) for rate in range(200)), RateSet(7), RateSet(8))
    entries, upto = await inspect.tail(stage.log, pattern=seven, limit=2)
    assert ([entry.position for entry in entries], upto) == ([9, 202], 203)
    entries, _ = await inspect.tail(stage.log, pattern=seven, limit=9)
    assert [entry.position for entry in entries] == [1, 9, 202]
    await stage.say(RateSet(6), RateSet(7))
    assert (await anext(inspect.follow(stage.log, after=upto, pattern=seven))).position == 205


async def test_a_long_tail_is_read_in_pages(stage: Stage) -> None:
    await stage.say(*(RateSet(rate) for rate in range(inspect.PAGE + 20)))
    entries, _ = await inspect.tail(stage.log, limit=inspect.PAGE + 10)
    assert [entry.position for entry in entries] == list(range(11, inspect.PAGE + 21))


async def test_the_entries_before_a_position_are_the_last_that_match_oldest_first(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), *(RateSet(rate) for rate in range(200)), OrderPaid("a"), RateSet(7))
    assert [entry.position for entry in await inspect.before(stage.log, 203, limit=2)] == [201, 202]
    found = await inspect.before(stage.log, 203, where=Filter(subject="a"), limit=2)
    assert [entry.position for entry in found] == [1, 202]
    assert [entry.position for entry in await inspect.before(stage.log, 2, limit=5)] == [1]
    assert await inspect.before(stage.log, 1, limit=5) == ()
    assert [entry.position for entry in await inspect.before(stage.log, 9_999, limit=1)] == [203]


async def test_following_yields_what_comes(stage: Stage) -> None:
    await stage.say(RateSet(1))
    found: list[int] = []

    async def follow() -> None:
        async for entry in inspect.follow(stage.log, after=1, where=Filter(types=frozenset(["order-placed"]))):
            found.append(entry.position)
            if len(found) == 2:
                return

    following = asyncio.create_task(follow())
    await stage.say(RateSet(2), OrderPlaced("a", 1))
    await stage.say(OrderPlaced("b", 1))
    await asyncio.wait_for(following, 10)
    assert found == [3, 4]


async def standings(stage: Stage, id: str) -> dict[str, str]:
    shown = await inspect.show(stage.log, stage.store, SERVICES, source="/shop", id=id)
    return {each.consumer: each.state for each in shown.standings}


async def test_an_event_is_shown_with_how_each_consumer_stands_to_it(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1))
    await stage.settle("billing", to=1)
    assert await standings(stage, "id-1") == {
        "billing": "settled",
        "orders.order@1": "ahead",
        "orders.placed@1": "settled",
        "rates": "unread",
    }


async def test_a_parked_event_is_shown_with_its_reason(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), OrderPlaced("a", 2))
    await stage.park("billing", "a", [2])
    await stage.settle("billing", to=2)
    shown = await inspect.show(stage.log, stage.store, SERVICES, source="/shop", id="id-2")
    billing = next(each for each in shown.standings if each.consumer == "billing")
    assert billing.state == "parked"
    assert billing.parked is not None
    assert billing.parked.reason == "handler-failed"
    assert (await standings(stage, "id-1"))["billing"] == "settled"


async def test_an_event_that_was_dropped_is_shown_as_that_until_it_is_handled_after_all(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), OrderPlaced("a", 2))
    await stage.park("billing", "a", [2])
    await stage.settle("billing", to=2)
    await dead.drop(stage.store, "billing", "a", reason="a test order", who="cli")
    shown = await inspect.show(stage.log, stage.store, SERVICES, source="/shop", id="id-2")
    billing = next(each for each in shown.standings if each.consumer == "billing")
    assert billing.state == "dropped"
    assert billing.dropped is not None
    assert (billing.dropped.who, billing.dropped.reason) == ("cli", "a test order")
    assert (await standings(stage, "id-1"))["billing"] == "settled"
    async with stage.store.changing(Change(who="cli", what="replay", on="billing", position=1)) as changing:
        await changing.rewind("billing", to=0)
    assert (await standings(stage, "id-2"))["billing"] == "ahead"
    await stage.settle("billing", to=2)
    assert (await standings(stage, "id-2"))["billing"] == "settled"


async def test_an_event_that_was_dropped_for_a_view_is_in_no_table_of_it(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), OrderPlaced("b", 1))
    for consumer in ("orders.placed@1", "orders.order@1"):
        await stage.park(consumer, "a", [1])
        await dead.drop(stage.store, consumer, "a", reason="a test order", who="cli")
    assert (await standings(stage, "id-1"))["orders.placed@1"] == "dropped"
    assert (await standings(stage, "id-2"))["orders.placed@1"] == "settled"
    await stage.settle("orders.order@1", to=2)
    assert (await standings(stage, "id-1"))["orders.order@1"] == "dropped"


async def test_a_parked_event_without_a_subject_is_found(stage: Stage) -> None:
    await stage.say(RateSet(1))
    await stage.park("rates", "\x00/shop\x00id-1", [1])
    assert (await standings(stage, "id-1"))["rates"] == "parked"


async def test_nobody_knows_what_an_undeclared_consumer_made_of_it(stage: Stage) -> None:
    await stage.say(RateSet(1))
    await stage.settle("gone", to=1)
    assert (await standings(stage, "id-1"))["gone"] == "unknown"


async def test_what_sends_to_endpoints_reads_every_type_whoever_asks(stage: Stage) -> None:
    await stage.say(RateSet(1), RateSet(2))
    await stage.settle("endpoints", to=1)
    assert (await standings(stage, "id-1"))["endpoints"] == "settled"
    assert (await standings(stage, "id-2"))["endpoints"] == "ahead"


async def test_an_event_that_is_not_kept_is_refused(stage: Stage) -> None:
    with pytest.raises(NotFoundError, match="there is no event 'x' of /shop; look for it"):
        await inspect.show(stage.log, stage.store, SERVICES, source="/shop", id="x")
