"""Why differences came to be: events that were late or lost, what was merged here and is wrong, what a provider did."""

from __future__ import annotations

import pytest

from tests.unit.reconciliation.shop import Item, Shop, shop
from tests.unit.reconciliation.test_drift import corrections, found, settled
from tests.unit.reconciliation.test_scope import filled
from tidings.reconciliation.kept.attributing import is_in_flight
from tidings.reconciliation.rules.facts import Capability

DAY = 24 * 3_600


async def cause(at: Shop, key: str = "o03") -> str:
    at.pass_time(61)
    await at.scope.count_drift()
    return (await found(at, key)).cause


async def changed(at: Shop) -> None:
    at.provider.put("o03", 99)
    at.pass_time(5)


async def late(at: Shop) -> None:
    await changed(at)
    await at.run()
    at.pass_time(120)
    await at.webhook("o03", id="late")
    await at.carry()


async def lost(at: Shop) -> None:
    await changed(at)
    await at.run()
    at.pass_time(3 * DAY + 1)


async def handler(at: Shop) -> None:
    """The adapter reads an event of this item as nothing, and is mended later."""
    await changed(at)
    at.ignores.add("o03")
    await at.webhook("o03", id="merged-as-nothing")
    await at.carry()
    at.ignores.clear()
    await at.run()


async def handler_that_reads_it_wrong(at: Shop) -> None:
    at.provider.put("o03", 50)
    await at.webhook("o03", id="read-as-something-else")
    at.provider.items["o03"].amount = 99
    await at.carry()
    at.pass_time(5)
    await at.run()


async def provider(at: Shop) -> None:
    """Two events of one second say different states."""
    at.provider.put("o03", 50)
    await at.webhook("o03", id="one")
    at.provider.put("o03", 99)
    await at.webhook("o03", id="the-other")
    await at.carry()
    shown = (await at.shown())["o03"]
    at.provider.items["o03"].amount = 149 - shown
    at.pass_time(5)
    await at.run()


WAYS = (late, lost, handler, handler_that_reads_it_wrong, provider)


@pytest.mark.parametrize("way", WAYS, ids=[each.__name__ for each in WAYS])
async def test_attribution_late_lost_handler_foreign(way: object) -> None:
    async with shop() as at:
        await settled(at)
        await way(at)  # type: ignore[operator]
        assert await cause(at) == way.__name__.partition("_")[0]  # type: ignore[attr-defined]


async def test_a_delete_that_was_merged_as_nothing_is_the_handlers() -> None:
    async with shop() as at:
        await settled(at)
        del at.provider.items["o03"]
        at.ignores.add("o03")
        at.pass_time(5)
        await at.webhook("o03", id="gone")
        await at.carry()
        at.ignores.clear()
        await at.run()
        assert (await found(at, "o03")).kind == "extra"
        assert await cause(at) == "handler"
        assert (await corrections(at))["extra/handler"] == 1


async def test_an_event_of_an_earlier_version_makes_it_nobodys_fault_yet() -> None:
    async with shop() as at:
        await settled(at)
        at.provider.put("o03", 50)
        await at.webhook("o03", id="earlier")
        await at.carry()
        at.pass_time(5)
        await changed(at)
        await at.run()
        assert await cause(at) == "unknown"


async def test_what_events_that_are_hints_have_read_is_in_flight_and_what_none_came_for_is_lost() -> None:
    async with shop(capability=Capability.BARE) as at:
        await settled(at)
        before = await corrections(at)
        at.provider.put("o03", 99)
        await at.webhook("o03", id="hint")
        await at.carry()
        at.pass_time(1)
        await at.scope.read_dirty()
        await at.carry()
        at.provider.put("o04", 98)
        at.pass_time(5)
        await at.run()
        await at.webhook("o04", id="hint-a-moment-later")
        await at.carry()
        at.provider.put("o05", 97)
        at.pass_time(5)
        await at.run()
        at.pass_time(61)
        assert await corrections(at) == {**before, "stale/unknown": 1}
        causes = {key: (await found(at, key)).cause for key in ("o03", "o04", "o05")}
        assert causes == {"o03": "late", "o04": "late", "o05": "unknown"}


async def test_what_a_list_shows_of_an_item_that_is_to_be_read_was_told() -> None:
    async with shop(capability=Capability.BARE) as at:
        await settled(at)
        at.provider.put("o03", 99)
        await at.webhook("o03", id="hint")
        await at.carry()
        at.pass_time(5)
        await at.run()
        one = await found(at, "o03")
        assert (one.kind, one.cause, is_in_flight(one, now=at.clock.now_us())) == ("stale", "late", True)


async def test_of_two_events_of_one_second_that_are_read_anew_none_was_missed() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o03", 50)
        await at.webhook("o03", id="one")
        at.provider.put("o03", 99)
        await at.webhook("o03", id="the-other")
        await at.carry()
        at.provider.items["o03"] = Item(149 - (await at.shown())["o03"], at.provider.items["o03"].changed)
        at.pass_time(10)
        assert await at.scope.read_dirty() == 1
        tie = await found(at, "o03")
        assert (tie.kind, tie.cause) == ("tie", "provider")
