"""Tombstones are removed once nothing older can bring back what they say is gone, and never before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.reconciliation.declared import facts
from tests.unit.reconciliation.shop import SECOND, Item, OrderGone, OrderSeen, Shop, shop
from tidings.conformance.samples import everything
from tidings.ports import utc
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Suspect, place_key
from tidings.reconciliation.rules.facts import Capability, Order, Paging
from tidings.reconciliation.rules.floors import NEVER, Known
from tidings.reconciliation.rules.judging import DELETE, Read, judge
from tidings.reconciliation.rules.places import WHOLE
from tidings.reconciliation.runs import purging
from tidings.reconciliation.runs.purging import is_needed
from tidings.store.rows import Rank

AT = place_key(("o03",))
HORIZON = timedelta(days=3)


async def filled(at: Shop, count: int = 8) -> None:
    for n in range(count):
        at.provider.put(f"o{n:02}", n)
    at.pass_time(10)
    assert (await at.run()).state == "done"
    at.pass_time(10)


async def tombstones(at: Shop) -> Sequence[str]:
    """Return the keys of tombstones, which the table, the copy's notes and what names them have alike."""
    store = at.opened.store
    table = next(each.table for each in await store.views() if each.table.view == "order")
    rows = [each.values[0] for each in await store.every(table, after=None, limit=100) if each.is_tombstone]
    async with store.unit() as unit:
        book = Book(unit, "till-orders")
        named = [at for at, _ in await book.tombstones(after=None, limit=100)]
        held = await book.mirrored(named)
    assert sorted(held.of(at).key for at in named) == sorted(rows)  # type: ignore[union-attr]
    return rows


async def gone(at: Shop, key: str = "o03") -> None:
    """Delete an item, and have its webhook arrive."""
    del at.provider.items[key]
    await at.webhook(key, id=f"gone-{key}-{at.clock.now_us()}")
    await at.carry()
    assert key not in await at.shown()


async def purge(at: Shop) -> int:
    return await at.scope._purging.purge()


async def test_tombstone_purge_needs_floor_and_no_open_question() -> None:
    async with shop() as at:
        await filled(at)
        await gone(at)
        assert (await purge(at), await tombstones(at)) == (0, ["o03"])  # its floor is older than the delete
        at.pass_time(10)
        at.provider.put("o03", 3)
        at.pass_time(10)
        await at.scope.run("run", applies=True)  # which has proved more, and found one that the copy has not taken in
        assert (await purge(at), await tombstones(at)) == (0, ["o03"])
        await at.carry()
        assert await tombstones(at) == []  # it is there again
        await gone(at)
        at.pass_time(10)
        async with at.opened.store.unit() as unit:
            book = Book(unit, "till-orders")
            suspect = Suspect(key="o03", at=AT, run="r", as_of=0, ticket=0, since=0)
            await book.write_suspects({AT: suspect})
            whole = await book.floors(WHOLE)
            await book.write_floors(whole, whole.raised(WHOLE, Known(put=at.clock.now_us())))
        assert (await purge(at), await tombstones(at)) == (0, ["o03"])
        async with at.opened.store.unit() as unit:
            await Book(unit, "till-orders").write_suspects({AT: None})
        assert (await purge(at), await tombstones(at)) == (1, [])
        assert (await purge(at), (await at.scope.record()).purged) == (0, 1)


@pytest.mark.parametrize("kind", ["whole", "changed"])
async def test_a_pass_over_the_list_or_over_changes_purges(kind: str) -> None:
    async with shop(filters_by_change=True) as at:
        await filled(at)
        await gone(at)
        at.pass_time(10)
        run = await at.run() if kind == "whole" else await at.run_changed()
        assert (run.state, await tombstones(at)) == ("done", [])
        assert await at.shown() == at.true


async def test_a_dry_run_purges_nothing() -> None:
    async with shop() as at:
        await filled(at)
        await gone(at)
        at.pass_time(10)
        await at.scope.run("plan")
        assert await tombstones(at) == ["o03"]


async def test_an_older_event_of_what_was_purged_is_late_and_its_key_is_read() -> None:
    async with shop() as at:
        await filled(at)
        old = at.provider.items["o03"]
        await gone(at)
        at.pass_time(10)
        await at.run()
        assert await tombstones(at) == []
        await at.opened.publish(OrderSeen("o03", 55, utc(old.changed)), source="/till", id="old", time=utc(0))
        await at.carry()
        assert await at.shown() == at.true
        assert (await at.scope.record()).late == 1
        assert await at.scope.read_dirty() == 1
        await at.carry()
        assert await at.shown() == at.true


async def test_a_delete_that_comes_again_after_the_purge_leaves_nothing_behind() -> None:
    async with shop() as at:
        await filled(at)
        changed = at.clock.now_us()
        await gone(at)
        at.pass_time(10)
        await at.run()
        await at.opened.publish(OrderGone("o03", utc(changed)), source="/till", id="again", time=utc(0))
        await at.carry()
        assert (await tombstones(at), await at.shown()) == ([], at.true)


@pytest.mark.parametrize("capability", [Capability.VERSIONED, Capability.EVENT_TIMED, Capability.BARE])
async def test_an_item_that_comes_back_as_it_was_is_found_anew_each_time(capability: Capability) -> None:
    async with shop(capability=capability) as at:
        await filled(at)
        as_it_was = Item(3, at.provider.items["o03"].changed)
        for purged in range(1, 4):
            del at.provider.items["o03"]
            at.pass_time(10)
            assert (await at.run()).deleted == 1
            at.pass_time(10)
            await at.run()
            assert (await tombstones(at), (await at.scope.record()).purged) == ([], purged)
            at.provider.items["o03"] = as_it_was
            at.pass_time(10)
            assert (await at.run()).appended == 1
            assert await at.shown() == at.true
            at.pass_time(10)


async def told_again(at: Shop) -> None:
    """Take all that is in the log in once more, as a replay does."""
    entries = await everything(at.opened.log.driver)
    async with at.opened.store.unit() as unit:
        await at.scope.mirror.apply(unit, entries, gated=True)  # type: ignore[union-attr]


@pytest.mark.parametrize("asked", ["list", "one"])
async def test_an_item_that_is_restored_as_it_was_stays_whoever_reads_the_log_again(asked: str) -> None:
    """Its delete is in the log, with a later time than its version has, and nothing else knows of it any more."""
    async with shop() as at:
        await filled(at)
        as_it_was = at.provider.items["o03"]
        await gone(at)
        at.pass_time(10)
        await at.run()
        assert await tombstones(at) == []
        at.pass_time(10)
        at.provider.items["o03"] = as_it_was
        at.provider.put("o09", 9)  # as any other, it is ranked by its version
        at.pass_time(10)
        await (at.run() if asked == "list" else at.scope.run_key("o03"))
        await at.carry()
        assert (await at.shown())["o03"] == 3
        found = {each.key: each for each in await at.scope.findings() if each.kind == "missing"}
        assert found["o03"].rank[0] > as_it_was.changed
        if asked == "list":
            assert found["o09"].rank[0] == at.provider.items["o09"].changed // SECOND * SECOND
        await told_again(at)
        assert (await at.shown())["o03"] == 3


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_tombstone_that_goes_too_early_has_its_item_shown_again_and_lost_to_whoever_reads_the_log_again(
    monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    """What it is kept for: an event of the moments between what is proved and the delete that comes after that one."""
    if not is_kept:
        monkeypatch.setattr(purging, "is_needed", lambda *given, **named: False)
    async with shop() as at:
        await filled(at)
        at.pass_time(10)
        at.provider.put("o03", 33)
        changed = utc(at.clock.now_us())
        at.pass_time(1)
        await gone(at)
        await at.run()  # dated before both, as each read is by a moment
        assert await tombstones(at) == (["o03"] if is_kept else [])
        await at.opened.publish(OrderSeen("o03", 33, changed), source="/till", id="slow", time=changed)
        await at.carry()
        assert ("o03" in await at.shown()) is not is_kept
        at.provider.put("o03", 33)  # back as it was, of which no event tells
        at.pass_time(10)
        assert (await at.run()).appended == int(is_kept)
        assert await at.shown() == at.true
        bound = (await at.scope.asof()).upserts or 0
        assert bound > at.provider.items["o03"].changed
        await told_again(at)
        assert (await at.shown() == at.true) is is_kept


async def test_where_nothing_is_proved_a_tombstone_stays_for_the_redelivery_horizon() -> None:
    async with shop(paging=Paging.OFFSET, redelivery_horizon=HORIZON) as at:
        await filled(at)
        await gone(at)
        at.pass_time(HORIZON.total_seconds() - 60)
        await at.run()
        assert await tombstones(at) == ["o03"]
        at.pass_time(120)
        await at.run()
        assert (await tombstones(at), await at.shown()) == ([], at.true)


async def test_a_tombstone_of_a_bare_item_stays_until_a_floor_passes_its_writing() -> None:
    async with shop(capability=Capability.BARE) as at:
        await filled(at)
        del at.provider.items["o03"]
        at.pass_time(10)
        assert (await at.run()).deleted == 1
        assert (await purge(at), await tombstones(at)) == (0, ["o03"])
        at.pass_time(10)
        await at.run()
        assert (await tombstones(at), await at.shown()) == ([], at.true)


async def test_a_key_that_is_gone_and_was_never_here_is_no_exception() -> None:
    async with shop(order=Order.CREATED) as at:
        await filled(at)
        await at.opened.publish(OrderGone("o99", utc(at.clock.now_us())), source="/till", id="x", time=utc(0))
        await at.carry()
        at.pass_time(5)
        assert await at.scope.read_dirty() > 0
        assert [each.key for each in (await at.scope.asof()).exceptions] == []
        assert (await at.scope.run_key("o99")).state == "done"


DELETED = Rank(100 * SECOND, 0, 1, 0)
DAY = 86_400 * SECOND


@pytest.mark.parametrize(
    ("capability", "floor", "after", "needed"),
    [
        (Capability.VERSIONED, 101 * SECOND, 0, False),
        (Capability.VERSIONED, 100 * SECOND, 4 * DAY, True),
        (Capability.EVENT_TIMED, 101 * SECOND, 0, False),
        (Capability.EVENT_TIMED, 100 * SECOND, 4 * DAY, True),
        (Capability.EVENT_TIMED, NEVER, 3 * DAY, True),
        (Capability.EVENT_TIMED, NEVER, 3 * DAY + 1, False),
        (Capability.BARE, 100 * SECOND, 9 * DAY, True),
        (Capability.BARE, 120 * SECOND, 0, False),
        (Capability.BARE, NEVER, 9 * DAY, True),
    ],
)
def test_what_a_tombstone_is_needed_for(capability: Capability, floor: int, after: int, needed: bool) -> None:
    recorded = 120 * SECOND
    told: Any = facts(capability=capability, redelivery_horizon=HORIZON)
    assert is_needed(DELETED, recorded, floor=floor, now=recorded + after, facts=told) == needed


TICKS = st.integers(0, 4)
RANKED = [Capability.VERSIONED, Capability.EVENT_TIMED]


@given(TICKS, TICKS, TICKS, st.one_of(st.none(), TICKS), st.integers(0, 1), st.sampled_from(RANKED))
def test_what_brings_back_what_was_purged_is_newer_than_its_tombstone(
    deleted: int, floor: int, as_of: int, version: int | None, settled: int, capability: Capability
) -> None:
    """Else whoever reads the log again has it gone: of one tick the delete comes last."""
    tombstone = Rank(deleted, settled, DELETE, 0)
    told: Any = facts(capability=capability)
    read = Read(hash=-1, as_of=as_of, version=version if capability is Capability.VERSIONED else None)
    found = judge(read, None, floor, capability)
    assume(not is_needed(tombstone, 0, floor=floor, now=0, facts=told))
    assert found.rank is None or found.rank > tombstone


async def test_postgresql_purges_as_sqlite_does(postgres_url: str) -> None:
    async with shop(url=postgres_url) as at:
        await filled(at)
        await at.mirror.release()  # its leases are by the server's clock
        await gone(at)
        at.pass_time(10)
        await at.run()
        assert (await tombstones(at), await at.shown()) == ([], at.true)
