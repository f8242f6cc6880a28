"""A scope that was proved of a time that is still to come, by a clock that was wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.reconciliation.shop import SECOND, Item, Shop, shop
from tests.unit.reconciliation.test_dates import filled
from tests.unit.reconciliation.test_told import problem
from tests.unit.telemetry.scrape import named, scrape
from tidings.cli.asof import _code
from tidings.cli.exits import NO, OK
from tidings.faces.scopes import bounds_object, run_line, run_object
from tidings.reconciliation.rules.facts import Capability
from tidings.reconciliation.rules.floors import Known
from tidings.reconciliation.rules.places import START, WHOLE, Range

HOUR = 3_600 * SECOND
YEAR = 365 * 24 * HOUR


async def proved_ahead(at: Shop, range: Range = WHOLE) -> None:
    """Have all of the range be proved of an hour from now."""
    await filled(at)
    await at.run()
    to = at.clock.now_us() + HOUR
    async with at.scope._running._holding.open() as (_, book, _record):
        floors = await book.floors(WHOLE)
        await book.write_floors(floors, floors.raised(range, Known(to, to, to, to)))


async def test_a_row_that_is_read_below_its_floor_is_old_and_not_equal() -> None:
    async with shop() as at:
        await proved_ahead(at)
        at.provider.put("o03", 77)
        at.pass_time(10)
        run = await at.run()
        assert (run.state, run.rows, run.equal, run.old, run.appended) == ("done", 6, 5, 1, 0)
        assert run_object(run, "till-orders")["old"] == 1
        assert "; 1 old;" in run_line(run, "till-orders", [], now=at.clock.now_us())


async def test_what_is_proved_of_a_time_to_come_is_an_alarm() -> None:
    async with shop() as at:
        await filled(at)
        await at.run()
        assert await problem(at) is None
        assert bounds_object(await at.scope.asof(), now=at.clock.now_us())["ahead_s"] == 0
        await proved_ahead(at)
        now = at.clock.now_us()
        bounds = await at.scope.asof()
        assert bounds.staleness(now) == -HOUR
        assert bounds_object(bounds, now=now)["ahead_s"] == 3_600
        told = await problem(at)
        assert told is not None
        assert "till-orders was proved right up to 3,600 s from now" in told
        ages = named(await scrape(at.opened), "tidings_staleness_seconds")
        assert ages["delete", "till-orders"] == -3_600
        assert bounds.ahead(now + HOUR) == 0
        assert [_code(bounds_object(bounds, now=each), None) for each in (now, now + HOUR)] == [NO, OK]


async def test_one_range_that_is_known_of_a_time_to_come_is_an_alarm_though_no_bound_says_so() -> None:
    async with shop() as at:
        await proved_ahead(at, Range(START, ("o02",)))
        bounds, now = await at.scope.asof(), at.clock.now_us()
        assert (bounds.staleness(now) or 0) > 0
        assert bounds.ahead(now) == HOUR
        assert await problem(at) is not None


async def test_another_declaration_proves_it_anew() -> None:
    async with shop() as at:
        await proved_ahead(at)
        at.provider.put("o03", 77)
        at.pass_time(10)
        at.scope._beginning._definition = "another"
        assert (await at.run()).appended == 1
        assert (await at.scope.asof()).ahead(at.clock.now_us()) == 0
        assert await at.shown() == at.true


@pytest.mark.parametrize("seconds", [3, 30, 200])
async def test_a_provider_whose_clock_is_ahead_is_no_alarm_as_its_bound_is_by_that_clock(seconds: int) -> None:
    async with shop() as at:
        at.provider.skew = seconds * SECOND
        await filled(at)
        await at.run()
        bounds, now = await at.scope.asof(), at.clock.now_us()
        assert (bounds.deletes or 0) > now - 2 * SECOND + (seconds - 3) * SECOND
        assert await problem(at) is None
        assert _code(bounds_object(bounds, now=now), None) == OK
        at.provider.skew = 0  # it was wrong, and is set right
        while (await at.run()).state == "paused":
            at.pass_time(1)
        bounds, now = await at.scope.asof(), at.clock.now_us()
        off = bounds.furthest - now
        assert bounds.ahead(now) == (off if off > 2 * SECOND else 0)


async def with_a_clock_ahead(at: Shop, seconds: int) -> tuple[float, int]:
    """Return how far the provider's clock is said to be ahead of ours, s, and how many reads an event of it costs."""
    at.provider.skew = seconds * SECOND
    await filled(at)
    await at.run()
    at.provider.items["o03"] = Item(77, at.clock.now_us() + at.provider.skew)
    await at.webhook("o03", id="by-its-own-clock")
    await at.carry()
    samples = await scrape(at.opened)
    ages, ahead = (named(samples, f"tidings_{name}_seconds") for name in ("staleness", "provider_ahead"))
    assert min(ages.values()) + ahead["till-orders",] >= 0  # which would be another alarm
    return ahead["till-orders",], await at.scope.read_dirty()


async def test_a_provider_whose_clock_stays_ahead_is_told_as_each_of_its_events_costs_a_read() -> None:
    async with shop() as at:
        assert await with_a_clock_ahead(at, 0) == (0.0, 0)
    async with shop() as at:
        ahead, read = await with_a_clock_ahead(at, 30)
        assert (28 <= ahead <= 30, read) == (True, 1)
        at.provider.skew = 0  # it is set right
        while (await at.run()).state == "paused":
            at.pass_time(1)
        assert named(await scrape(at.opened), "tidings_provider_ahead_seconds") == {("till-orders",): 0.0}
    async with shop(clock_skew=timedelta(seconds=30)) as at:
        assert await with_a_clock_ahead(at, 30) == (0.0, 0)


async def ranked_ahead(at: Shop, key: str) -> None:
    """Have an item be there by a version that its provider gave it when its clock was ten years ahead, and ours."""
    now = at.clock.now_us()
    at.clock.move(now + 10 * YEAR)
    at.provider.put(key, 1_000)
    await at.webhook(key, id="by-a-wrong-clock")
    at.pass_time(5)
    await at.carry()
    at.clock._now = now  # somebody has set it right
    at.provider.put(key, 1_001)


@pytest.mark.parametrize("capability", [Capability.VERSIONED, Capability.EVENT_TIMED])
async def test_what_is_ranked_by_a_time_to_come_is_named_by_the_doctor(capability: Capability) -> None:
    async with shop(capability=capability) as at:
        at.provider.skew = 200 * SECOND  # which is believed
        await filled(at)
        at.provider.items["o01"] = Item(7, at.clock.now_us() + 200 * SECOND)
        await at.run()
        assert (await at.scope.ranked_ahead()).count == 0
        await ranked_ahead(at, "o03")
        at.pass_time(60)
        assert (await at.run()).newer_here == 1
        assert (await at.shown())["o03"] == 1_000  # which no run mends
        told = await problem(at) or ""
        assert "till-orders ranks 1 item, the first is 'o03', by times up to 2035-" in told
        assert "have another view be the copy" in told
