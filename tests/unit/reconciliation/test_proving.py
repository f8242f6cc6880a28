"""What may be told to be known, and when: pages and events that meet, reads that are old, parts that are not proved."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from tests.unit.reconciliation.shop import SECOND, Item, Shop, shop
from tests.unit.reconciliation.test_purging import told_again, tombstones
from tests.unit.reconciliation.test_scope import filled
from tidings.errors import ProviderUnavailableError
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.listing import Hint, Page
from tidings.reconciliation.rules.facts import Paging
from tidings.reconciliation.rules.floors import NEVER, Floors
from tidings.reconciliation.rules.judging import DELETE
from tidings.reconciliation.rules.places import START, WHOLE, Place, Range
from tidings.reconciliation.rules.proofs import Proof
from tidings.store.rows import Rank

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def test_page_transaction_excludes_merges(postgres_url: str) -> None:
    """A late event must not come in between what a page is compared with and the floor that it raises."""
    async with shop(url=postgres_url) as at:
        await filled(at, 4)
        await at.mirror.release()  # its leases are by the server's clock
        at.provider.put("o03", 99)
        await at.webhook("o03", id="meanwhile")
        is_held = asyncio.Event()

        async def merge() -> None:
            await is_held.wait()
            await at.carry()

        merging = asyncio.ensure_future(merge())
        async with at.scope._running._holding.open() as (unit, book, before):
            is_held.set()
            while not merging.done() and not (await unit.sql.fetch(WAITING))[0][0]:
                await asyncio.sleep(0)
            assert not merging.done()
            assert (await book.record()).mirrored == before.mirrored
        await merging
        assert await at.shown() == at.true


async def test_stale_read_does_not_resurrect() -> None:
    async with shop(filters_by_change=True, index_lag=timedelta(seconds=60)) as at:
        await filled(at, 8)
        old = at.provider.row("o03")
        del at.provider.items["o03"]
        at.pass_time(10)
        assert (await at.run()).deleted == 1
        at.pass_time(10)
        await at.run()
        assert await tombstones(at) == []  # nothing but the floor knows that it is gone
        at.pass_time(10)
        trails = iter([True])  # the closing page, a minute later, trails no more

        def bend(page: Page) -> Page:
            return replace(page, rows=[*page.rows, old]) if next(trails, False) else page

        at.provider.bend = bend
        run = await at.run_changed()
        assert (run.appended, await at.shown()) == (0, at.true)


async def below_the_floor(at: Shop, *, id: str) -> None:
    """Have an event come of an item as it was before all that is known of it."""
    now = at.provider.items["o03"]
    at.provider.items["o03"] = Item(50, now.changed - SECOND)
    await at.webhook("o03", id=id)
    at.provider.items["o03"] = now
    await at.carry()


async def test_patch_older_than_read_loses_per_field() -> None:
    """An event that says a part of its item is a hint: it is read whole, so that nothing of an older one stays."""
    async with shop() as at:
        await filled(at, 8)
        listing: Any = at.scope.scope.listing
        listing.read = lambda event, envelope: Hint(key=event.order_id)
        await below_the_floor(at, id="patch")
        assert (await at.scope.record()).late == 0
        assert await at.scope.read_dirty() == 1  # nor was it dropped
        await at.carry()
        assert await at.shown() == at.true


async def test_amounts_are_never_dropped_by_a_floor() -> None:
    """An event that tells no state of an item, as an amount does, is none that a copy decides about."""
    async with shop() as at:
        await filled(at, 8)
        at.ignores.add("o03")
        await below_the_floor(at, id="amount")
        assert ((await at.scope.record()).late, "late" in await at.scope.counts()) == (0, False)
        at.ignores.clear()
        await below_the_floor(at, id="state")
        assert ((await at.scope.record()).late, "late" in await at.scope.counts()) == (1, True)


@pytest.mark.parametrize("gone_on", [False, True])
async def test_a_list_that_has_fewer_rows_than_it_should_proves_nothing(gone_on: bool) -> None:
    """Not either where it was taken up again, or another run has taken its place before it was counted."""
    async with shop() as at:
        await filled(at, 8)
        at.pass_time(10)
        at.provider.put("o03x", 77)
        at.pass_time(10)
        told = await at.scope.asof()

        def bend(page: Page) -> Page:
            return replace(page, rows=[row for row in page.rows if row.key != "o03x"], total=9)

        at.provider.bend = bend
        if gone_on:
            pages = iter([False, *[True] * 5])

            def trouble(what: str) -> None:
                if next(pages, False):
                    raise ProviderUnavailableError("503")

            at.provider.trouble = trouble
            assert (await at.run()).state == "paused"
        assert (await at.run()).state == "incomplete"
        now = await at.scope.asof()
        assert (now.upserts, now.deletes) == (told.upserts, told.deletes)
        at.pass_time(10)
        at.provider.bend = lambda page: replace(page, total=9)
        assert (await at.run()).state == "done"
        now = await at.scope.asof()
        assert (now.upserts or 0) == (now.deletes or 0) > (told.upserts or 0)
        async with at.opened.store.unit() as unit:
            assert not [*await Book(unit, "till-orders")._between("proof")]


async def shown_upto(at: Shop) -> set[int]:
    """Return up to when anything is told to be known, in any part of the order."""
    async with at.opened.store.unit() as unit:
        floors = await Book(unit, "till-orders").floors(WHOLE)
    return {each.shown_put for each in floors.known}


async def test_snapshot_pages_share_the_first_as_of() -> None:
    async with shop(paging=Paging.SNAPSHOT) as at:
        await filled(at, 12)

        at.provider.trouble = lambda what: at.pass_time(20)
        began = at.clock.now_us()
        run = await at.run()
        assert (run.pages, await shown_upto(at)) == (3, {run.first_as_of})
        assert began - 5 * SECOND < (run.first_as_of or 0) < began


async def forget_copy(at: Shop) -> None:
    """Have the copy know of no item, as one has to that is made anew."""
    store = at.opened.store
    table = next(each.table for each in await store.views() if each.table.view == "order")
    rows = [
        structs.replace(row, rank=Rank(NEVER, 0, DELETE, 0)) for row in await store.every(table, after=None, limit=100)
    ]
    async with store.unit() as unit:
        await unit.replace(table, [structs.replace(row, rank=Rank(NEVER, 0, DELETE, 0)) for row in rows])
        book = Book(unit, "till-orders")
        await book.write_mirror(dict.fromkeys((await book.kept(WHOLE)).mirror))


async def test_rebuild_uses_recorded_verdicts() -> None:
    async with shop() as at:
        await filled(at, 8)
        at.provider.put("o05", 55)
        await at.webhook("o05", id="in-time")
        await at.carry()
        at.pass_time(10)
        await at.run()  # what came in time is below the floor by now
        now = at.provider.items["o03"]
        at.provider.items["o03"] = Item(77, now.changed + 2 * SECOND)  # it would win by its rank
        await at.webhook("o03", id="late")
        at.provider.items["o03"] = now
        await at.carry()
        assert (await at.shown(), (await at.scope.record()).late) == (at.true, 1)
        await forget_copy(at)
        assert await at.shown() == {}
        await told_again(at)
        assert await at.shown() == at.true


PLACES: list[Place] = [(n,) for n in range(1, 9)]
EDGES: list[Place] = [START, *PLACES]
RANGES = [Range(one, end) for one, end in zip(EDGES, [*PLACES, None], strict=True)]


@pytest.mark.parametrize("seed", range(20))
def test_gap_failure_overlap_and_out_of_order_ranges_block_t(seed: int) -> None:
    draw = random.Random(seed)
    ranges = [*RANGES, Range(PLACES[1], PLACES[4]), Range(PLACES[3], None)]  # some overlap
    draw.shuffle(ranges)
    missing, waiting = draw.sample(RANGES, 2)
    floors, told = Floors(), dict.fromkeys(RANGES, NEVER)
    proofs = [Proof(each, draw.randrange(1, 100), frozenset({"f:x"} if each == waiting else ())) for each in ranges]
    for proof in proofs:
        if proof.range == missing or any(part in (missing, waiting) and _holds(proof.range, part) for part in RANGES):
            continue  # its page failed
        floors = proof.show(floors)
        told |= {part: max(told[part], proof.as_of) for part in RANGES if _holds(proof.range, part)}
        assert floors.upserts == floors.deletes == min(told.values())
    assert floors.upserts == NEVER
    for part in (missing, waiting):
        floors = Proof(part, 50).show(floors)
        told[part] = max(told[part], 50)
        assert floors.upserts == min(told.values())
    assert floors.upserts > NEVER
    for proof in proofs:  # what is told late lowers nothing
        assert floors.upserts <= proof.without("f:x").show(floors).upserts


def _holds(range: Range, part: Range) -> bool:
    is_below = range.end is None or (part.end is not None and part.end <= range.end)
    return range.after <= part.after and is_below


@pytest.mark.parametrize("page", [1, 2, 3])
async def test_a_page_that_fails_holds_the_bound_back_until_it_is_read(page: int) -> None:
    async with shop() as at:
        await filled(at, 12)
        before = await at.scope.asof()
        at.pass_time(60)
        pages = iter(range(1, 100))

        def trouble(what: str) -> None:
            if what == "list" and next(pages) >= page:
                raise ProviderUnavailableError("503")

        at.provider.trouble = trouble
        assert (await at.run()).state == "paused"
        stood = await at.scope.asof()
        assert (stood.upserts, stood.deletes) == (before.upserts, before.deletes)
        at.provider.trouble = lambda what: None
        assert (await at.run()).state == "done"
        assert ((await at.scope.asof()).deletes or 0) >= (before.deletes or 0) + 60 * SECOND
