"""Chapter "pages": the list is whole, in the order that is declared, whatever happens between two pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from tidings.conformance.listing_harness import ListingHarness
from tidings.errors import CursorExpiredError
from tidings.reconciliation.listing import Listing, Page, Row
from tidings.reconciliation.rules.facts import Order
from tidings.reconciliation.rules.facts import Paging as Declared
from tidings.reconciliation.rules.places import place

LONG = timedelta(days=30)
PAGES_MAX = 1_000


def key(n: int) -> str:
    return f"item-{n:05}"


def fill(harness: ListingHarness, listing: Listing, *, pages: float = 2.2) -> list[str]:
    """Make so many pages of items, in no order of their keys, and let them be seen everywhere; return their keys."""
    count = int(listing.facts.page_limit * pages) + 2
    for n in range(count):
        harness.provider.put(key(n * 7 % count if count % 7 else n), n)
        harness.provider.pass_time(timedelta(milliseconds=10))
    settle(harness, listing)
    return [key(n) for n in range(count)]


def settle(harness: ListingHarness, listing: Listing) -> None:
    """Let all be seen everywhere, and all that may be asked be asked again."""
    facts = listing.facts
    rest = timedelta(seconds=facts.rate.burst / facts.rate.per_second)
    harness.provider.pass_time(facts.replica_lag + facts.index_lag + rest + timedelta(seconds=2))


async def first(listing: Listing) -> Page:
    return await listing.list_page(cursor=None, limit=listing.facts.page_limit)


async def rest(harness: ListingHarness, listing: Listing, page: Page) -> list[Page]:
    """Return what comes behind a page. It is asked for no faster than is declared."""
    pages = list[Page]()
    while page.next_cursor is not None:
        assert len(pages) < PAGES_MAX, f"after {PAGES_MAX} pages the list has not ended"
        harness.provider.pass_time(timedelta(seconds=1 / listing.facts.rate.per_second))
        page = await listing.list_page(cursor=page.next_cursor, limit=listing.facts.page_limit)
        pages.append(page)
    return pages


async def whole(harness: ListingHarness, listing: Listing) -> list[Row]:
    """Return all rows."""
    begun = await first(listing)
    return rows_of([begun, *await rest(harness, listing, begun)])


def rows_of(pages: Sequence[Page]) -> list[Row]:
    return [row for page in pages for row in page.rows]


def place_of(row: Row) -> tuple[str | int, ...]:
    return place(row.key if row.order is None else row.order)


class Paging:
    """A mixin of `ListingSuite`."""

    async def test_every_item_is_listed_once(self, harness: ListingHarness, listing: Listing) -> None:
        keys = fill(harness, listing)
        assert sorted(row.key for row in await whole(harness, listing)) == keys

    async def test_an_empty_list_is_a_page_without_rows(self, listing: Listing) -> None:
        page = await first(listing)
        assert (list(page.rows), page.next_cursor) == ([], None)

    async def test_a_page_is_as_long_as_is_declared(self, harness: ListingHarness, listing: Listing) -> None:
        fill(harness, listing)
        assert len((await first(listing)).rows) == listing.facts.page_limit

    async def test_places_rise_and_stay(self, harness: ListingHarness, listing: Listing) -> None:
        if listing.facts.order not in (Order.KEY, Order.CREATED):
            pytest.skip("no order is declared that stays")
        keys = fill(harness, listing)
        before = {row.key: place_of(row) for row in await whole(harness, listing)}
        harness.provider.put(keys[1], 1_000_000)
        settle(harness, listing)
        rows = await whole(harness, listing)
        places = [place_of(row) for row in rows]
        assert all(one < other for one, other in pairwise(places)), "the places do not rise"
        assert {row.key: place_of(row) for row in rows} == before, "a place has changed with its item"
        if listing.facts.order is Order.KEY:
            assert all(place_of(row) == (row.key,) for row in rows), "the list is not ordered by its keys"

    async def test_what_goes_between_two_pages_hides_no_other(self, harness: ListingHarness, listing: Listing) -> None:
        if listing.facts.paging is Declared.OFFSET or listing.facts.order in (Order.UPDATED, Order.NONE):
            pytest.skip("rows may move between pages, as is declared")
        keys = fill(harness, listing)
        begun = await first(listing)
        gone = begun.rows[0].key
        harness.provider.delete(gone)
        harness.provider.pass_time(listing.facts.replica_lag)
        seen = {row.key for row in rows_of([begun, *await rest(harness, listing, begun)])}
        assert set(keys) - seen <= {gone}, "rows are skipped once one before them is gone"

    async def test_a_snapshot_shows_one_moment(self, harness: ListingHarness, listing: Listing) -> None:
        if listing.facts.paging is not Declared.SNAPSHOT:
            pytest.skip("no snapshot is declared")
        fill(harness, listing)
        old = {row.key: row.state for row in await whole(harness, listing)}
        settle(harness, listing)
        begun = await first(listing)
        for each in old:
            harness.provider.put(each, 1_000_000)
        harness.provider.pass_time(listing.facts.replica_lag)
        later = rows_of(await rest(harness, listing, begun))
        assert all(row.state == old[row.key] for row in later), "a later page shows what changed after the first"

    async def test_a_cursor_lives_as_long_as_is_declared(self, harness: ListingHarness, listing: Listing) -> None:
        keys = fill(harness, listing)
        begun = await first(listing)
        life = listing.facts.cursor_life
        harness.provider.pass_time(LONG if life is None else life - timedelta(milliseconds=1))
        try:
            page = await listing.list_page(cursor=begun.next_cursor, limit=listing.facts.page_limit)
        except CursorExpiredError:
            raise AssertionError(f"a cursor expires before {life or LONG}") from None
        assert {row.key for row in page.rows} <= set(keys) - {row.key for row in begun.rows}

    async def test_an_expired_cursor_is_told_as_that(self, harness: ListingHarness, listing: Listing) -> None:
        if listing.facts.cursor_life is None:
            pytest.skip("cursors do not expire, as is declared")
        fill(harness, listing)
        begun = await first(listing)
        harness.provider.forget_cursors()
        with pytest.raises(CursorExpiredError):
            await listing.list_page(cursor=begun.next_cursor, limit=listing.facts.page_limit)

    async def test_a_list_can_be_begun_anywhere(self, harness: ListingHarness, listing: Listing) -> None:
        if not listing.facts.seekable:
            pytest.skip("that is not declared")
        fill(harness, listing, pages=1)
        rows = await whole(harness, listing)
        seeks: Any = listing
        for n in (0, len(rows) // 2, len(rows) - 2):
            order = rows[n].key if rows[n].order is None else rows[n].order
            harness.provider.forget_cursors()
            try:
                page = await listing.list_page(cursor=seeks.cursor_after(order), limit=listing.facts.page_limit)
            except CursorExpiredError:
                raise AssertionError("a cursor that was made of a place is not known to the provider") from None
            assert page.rows[0].key == rows[n + 1].key, "the list does not begin after the place that was sought"
