"""What counts as drift, and when: what is only on its way is none."""

from __future__ import annotations

import pytest

from tests.unit.reconciliation.shop import SECOND, Item, Shop, shop
from tests.unit.reconciliation.test_scope import filled
from tidings.reconciliation.kept.attributing import is_in_flight, is_surely_in_flight
from tidings.reconciliation.kept.coding import Finding
from tidings.reconciliation.rules.delays import BOUNDS, GRACE_US, RECENT, Delays, grace_of
from tidings.reconciliation.rules.facts import Capability

DAY_US = 86_400 * SECOND


async def found(at: Shop, key: str) -> Finding:
    return [each for each in await at.scope.findings() if each.key == key][-1]


async def corrections(at: Shop) -> dict[str, int]:
    await at.scope.count_drift()
    return (await at.scope.record()).corrections


async def settled(at: Shop) -> None:
    """Have a copy of which nothing more is to be counted."""
    await filled(at)
    at.pass_time(120)
    await at.scope.count_drift()


async def test_a_finding_counts_once_it_is_older_than_the_grace() -> None:
    async with shop() as at:
        await settled(at)
        before = await corrections(at)
        at.provider.put("o03", 99)
        at.pass_time(5)
        await at.run()
        assert is_in_flight(await found(at, "o03"), now=at.clock.now_us())
        assert await corrections(at) == before
        at.pass_time(50)
        assert await corrections(at) == before
        at.pass_time(12)
        assert await corrections(at) == {**before, "stale/unknown": 1}
        assert not is_in_flight(await found(at, "o03"), now=at.clock.now_us())


async def test_what_had_changed_long_before_it_was_found_counts_at_once() -> None:
    async with shop() as at:
        await settled(at)
        at.provider.put("o03", 99)
        at.pass_time(600)
        await at.run()
        assert (await corrections(at))["stale/unknown"] == 1


async def test_a_delete_of_which_no_time_is_known_is_young_when_it_is_found() -> None:
    async with shop() as at:
        await settled(at)
        del at.provider.items["o03"]
        at.pass_time(600)
        await at.run()
        gone, now = await found(at, "o03"), at.clock.now_us()
        assert (gone.kind, is_in_flight(gone, now=now), is_surely_in_flight(gone, now=now)) == ("extra", True, False)
        assert "extra/unknown" not in await corrections(at)
        at.pass_time(61)
        assert (await corrections(at))["extra/unknown"] == 1


async def test_an_event_that_comes_in_time_makes_it_no_drift() -> None:
    async with shop() as at:
        await settled(at)
        before = await corrections(at)
        at.provider.put("o03", 99)
        at.pass_time(5)
        await at.run()
        at.pass_time(20)
        await at.webhook("o03", id="in-time")
        await at.carry()
        at.pass_time(600)
        assert await corrections(at) == before
        assert is_surely_in_flight(await found(at, "o03"), now=at.clock.now_us())


async def test_an_event_that_was_in_the_log_before_its_repair_was_in_flight() -> None:
    async with shop() as at:
        await settled(at)
        before = await corrections(at)
        at.provider.put("o03", 99)
        at.pass_time(5)
        await at.webhook("o03", id="quick")
        await at.scope.run("run", applies=True)
        await at.carry()
        stale = await found(at, "o03")
        assert (stale.state, stale.cause, is_in_flight(stale, now=at.clock.now_us())) == ("merged", "late", True)
        at.pass_time(600)
        assert await corrections(at) == before


async def test_an_event_of_an_earlier_state_is_not_the_one_that_was_missed() -> None:
    async with shop() as at:
        await settled(at)
        at.provider.put("o03", 50)
        first = at.provider.items["o03"]
        at.pass_time(2)
        at.provider.put("o03", 99)
        at.pass_time(5)
        await at.run()
        last = at.provider.items["o03"]
        at.provider.items["o03"] = first
        await at.webhook("o03", id="the-first")
        at.provider.items["o03"] = Item(99, first.changed)  # the same state, of another version
        await at.webhook("o03", id="as-it-was-once")
        await at.carry()
        assert (await found(at, "o03")).cause == "unknown"
        at.provider.items["o03"] = last
        await at.webhook("o03", id="the-last")
        await at.carry()
        assert (await found(at, "o03")).cause == "late"


async def test_an_event_is_found_to_be_late_also_if_its_item_was_repaired_again_since() -> None:
    async with shop() as at:
        await settled(at)
        repaired = []
        for amount in (50, 99):
            at.provider.put("o03", amount)
            at.pass_time(5)
            await at.run()
            repaired.append(at.provider.items["o03"])
        at.provider.items["o03"] = repaired[0]
        await at.webhook("o03", id="the-first")
        await at.carry()
        assert [each.cause for each in await at.scope.findings() if each.key == "o03"] == ["unknown", "late", "unknown"]


@pytest.mark.parametrize("capability", [Capability.VERSIONED, Capability.EVENT_TIMED])
async def test_a_delete_whose_event_comes_after_all_was_late(capability: Capability) -> None:
    async with shop(capability=capability) as at:
        await filled(at)
        del at.provider.items["o03"]
        at.pass_time(5)
        await at.run()
        at.pass_time(5)
        await at.webhook("o03", id="gone")
        await at.carry()
        assert (await found(at, "o03")).cause == "late"


@pytest.mark.parametrize("amount", [71, 72, 73, 74])  # of which some have a higher hash than what was there
async def test_what_two_reads_that_overlapped_showed_was_no_breach(amount: int) -> None:
    async with shop() as at:
        await settled(at)
        before, kept = await corrections(at), at.provider.items["o03"]
        at.provider.items["o03"] = Item(amount, kept.changed)
        at.pass_time(5)
        await at.run()
        at.provider.items["o03"] = kept
        at.pass_time(5)
        await at.run()
        at.pass_time(61)
        assert await corrections(at) == before
        at.pass_time(61)
        assert await corrections(at) == before
        states = [(each.kind, each.state) for each in await at.scope.findings() if each.key == "o03"]
        assert states[1][0] == "differs"
        assert [state for _, state in states[1:]] == ["waived", "waived"]


async def test_the_grace_is_twice_as_long_as_nearly_all_events_take() -> None:
    async with shop() as at:
        await settled(at)
        for n in range(30):
            at.provider.put(f"p{n:02}", n)
            at.pass_time(40)
            await at.webhook(f"p{n:02}", id=f"slow-{n}")
        await at.carry()
        run = await at.run()
        assert run.grace == 120 * SECOND


def test_a_grace_is_a_minute_at_least_and_no_longer_than_any_event_takes() -> None:
    assert grace_of(Delays(), horizon=DAY_US) == GRACE_US
    quick = Delays().more([SECOND] * 100)
    assert grace_of(quick, horizon=DAY_US) == GRACE_US
    slow = Delays().more([SECOND] * 98 + [100 * SECOND] * 2)
    assert grace_of(slow, horizon=DAY_US) == 240 * SECOND
    assert grace_of(slow, horizon=100 * SECOND) == 100 * SECOND
    assert grace_of(Delays().more([30 * DAY_US]), horizon=31 * DAY_US) == 31 * DAY_US


def test_delays_are_counted_by_spans_and_what_came_long_ago_counts_less() -> None:
    some = Delays().more([-5, 500_000, 500_001, 300_000 * SECOND])
    assert (some.counts[:2], some.counts[-1], sum(some.counts)) == ((2, 1), 1, 4)
    assert len(some.counts) == len(BOUNDS) + 1
    assert some.recent() is some
    many = Delays().more([SECOND] * RECENT)
    assert sum(many.recent().counts) == RECENT // 2
