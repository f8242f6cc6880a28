"""Chapter "facts": versions, times and rates are as they are declared, and events say what rows say."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tidings.conformance.listing_harness import ListingHarness
from tidings.conformance.listing_pages import fill, first, key, settle, whole
from tidings.errors import RateLimitedError
from tidings.events.declaration import declared_instance
from tidings.events.envelope import Envelope
from tidings.reconciliation.listing import Hint, Listing, Row, Snapshot
from tidings.reconciliation.rules.facts import Capability

SECOND = timedelta(seconds=1)


def said(listing: Listing, event: Any) -> Snapshot | Hint | None:
    """Return what the adapter reads of an event."""
    declared = declared_instance(event)
    made = Envelope(id="1", source="/suite", type=declared.type, version=declared.version, data=b"{}")
    return listing.read(event, made)


class Declaring:
    """A mixin of `ListingSuite`."""

    async def test_a_change_is_seen_in_list_and_answer(self, harness: ListingHarness, listing: Listing) -> None:
        before = await _row(harness, listing, 1)
        after = await _row(harness, listing, 2)
        assert before.state != after.state
        answer = await listing.get_one(key(1))
        assert answer.row == after

    async def test_versions_are_what_is_declared(self, harness: ListingHarness, listing: Listing) -> None:
        version, facts = (await _row(harness, listing, 1)).version, listing.facts
        if facts.capability is Capability.VERSIONED:
            assert isinstance(version, datetime), f"the version is {version!r}"
            assert version.tzinfo is not None, f"{version!r} has no time zone"
        else:
            assert version is None, "a version is listed, and none is declared"

    async def test_versions_rise_from_tick_to_tick(self, harness: ListingHarness, listing: Listing) -> None:
        facts = listing.facts
        if facts.capability is not Capability.VERSIONED:
            pytest.skip("no version is declared")
        for n in range(5):
            harness.provider.put(key(n), n)
            harness.provider.pass_time(facts.tick)
        settle(harness, listing)
        versions: list[Any] = [row.version for row in sorted(await whole(harness, listing), key=lambda row: row.key)]
        assert versions == sorted(set(versions)), f"changes in five ticks have the versions {versions}"

    async def test_a_change_moves_the_version(self, harness: ListingHarness, listing: Listing) -> None:
        if listing.facts.capability is not Capability.VERSIONED:
            pytest.skip("no version is declared")
        before: Any = (await _row(harness, listing, 1)).version
        after: Any = (await _row(harness, listing, 2)).version
        assert after > before, f"{before} was the version before the change, and {after} is it now"

    async def test_stamps_are_no_further_off_than_is_declared(self, harness: ListingHarness, listing: Listing) -> None:
        facts = listing.facts
        if facts.capability is not Capability.VERSIONED:
            pytest.skip("no version is declared")
        row = await _row(harness, listing, 1, at_once=True)
        date = (await listing.get_one(key(1))).server_date
        assert date is not None
        assert isinstance(row.version, datetime)
        assert abs(row.version - (date - facts.replica_lag)) <= SECOND + facts.tick + facts.clock_skew

    async def test_a_read_is_as_old_as_is_declared_at_most(self, harness: ListingHarness, listing: Listing) -> None:
        await _row(harness, listing, 1)
        harness.provider.pass_time(timedelta(hours=1))
        harness.provider.put(key(1), 2)
        harness.provider.put(key(2), 3)
        harness.provider.pass_time(listing.facts.replica_lag)
        listed = {row.key: row for row in (await first(listing)).rows}
        assert key(2) in listed, "a list is older than is declared"
        assert (await listing.get_one(key(1))).row == listed[key(1)]
        harness.provider.delete(key(1))
        harness.provider.pass_time(listing.facts.replica_lag)
        assert (await listing.get_one(key(1))).row is None, "an answer is older than is declared"
        assert key(1) not in {row.key for row in (await first(listing)).rows}

    async def test_a_read_is_dated_by_the_provider(self, harness: ListingHarness, listing: Listing) -> None:
        await _row(harness, listing, 1)
        for age in (0, 7):
            harness.provider.age = age
            made = harness.provider.date - timedelta(seconds=age)
            assert (await first(listing)).server_date == made
            assert (await listing.get_one(key(1))).server_date == made

    async def test_as_often_as_is_declared_may_be_asked(self, harness: ListingHarness, listing: Listing) -> None:
        rate = listing.facts.rate
        try:
            for _ in range(rate.burst):
                await first(listing)
            for _ in range(int(2 * rate.per_second) + 1):
                harness.provider.pass_time(timedelta(seconds=1 / rate.per_second))
                await first(listing)
        except RateLimitedError:
            raise AssertionError(f"the provider is asked too often with {rate}") from None

    async def test_what_has_changed_is_listed_by_its_time(self, harness: ListingHarness, listing: Listing) -> None:
        if not listing.facts.filters_by_change:
            pytest.skip("that is not declared")
        filters: Any = listing
        fill(harness, listing, pages=1)
        harness.provider.pass_time(timedelta(minutes=1))
        since = harness.provider.date
        for n in (5, 3, 4):
            harness.provider.put(key(n), 1_000_000)
            harness.provider.pass_time(max(listing.facts.tick, SECOND))
        harness.provider.pass_time(listing.facts.replica_lag + listing.facts.index_lag)
        page = await filters.list_changed(since=since, cursor=None, limit=listing.facts.page_limit)
        assert [row.key for row in page.rows] == [key(5), key(3), key(4)]

    async def test_an_event_says_what_its_row_says(self, harness: ListingHarness, listing: Listing) -> None:
        row = await _row(harness, listing, 1)
        found = said(listing, listing.observed(row))
        assert isinstance(found, Snapshot), f"what a row says is read as {found}"
        assert (found.key, found.state) == (row.key, row.state)
        assert found.order in (None, row.order)
        if listing.facts.capability is Capability.VERSIONED:
            assert found.at == row.version

    async def test_a_delete_says_that_its_item_is_gone(self, listing: Listing) -> None:
        found = said(listing, listing.deleted(key(1)))
        assert isinstance(found, Snapshot)
        assert (found.key, found.state) == (key(1), None)

    async def test_every_row_is_of_a_key_that_can_be_asked_for(self, harness: ListingHarness, listing: Listing) -> None:
        fill(harness, listing, pages=0.1)
        for row in (await whole(harness, listing))[:5]:
            assert (await listing.get_one(row.key)).row == row


async def _row(harness: ListingHarness, listing: Listing, value: int, *, at_once: bool = False) -> Row:
    """Give an item this value; return the row of it. `at_once`: as soon as it may be seen."""
    harness.provider.put(key(1), value)
    if at_once:
        harness.provider.pass_time(listing.facts.replica_lag)
    else:
        settle(harness, listing)
    [found] = [row for row in (await first(listing)).rows if row.key == key(1)]
    return found
