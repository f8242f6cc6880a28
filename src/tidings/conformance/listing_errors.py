"""Chapter "errors": what is no read is told as that, and never taken for an empty list or an item that is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tidings.conformance.listing_harness import ListingHarness
from tidings.conformance.listing_pages import fill, first, key
from tidings.conformance.listing_provider import Reply
from tidings.errors import NotAuthorisedError, RateLimitedError
from tidings.reconciliation.listing import Listing

HTML = "<!doctype html><title>Maintenance</title>"
FAULTS = {
    "a 401": (Reply(status=401, text="{}"), NotAuthorisedError),
    "a 403": (Reply(status=403, text="{}"), NotAuthorisedError),
    "a 500": (Reply(status=500, text="{}"), Exception),
    "a 503": (Reply(status=503, text="{}"), Exception),
    "a redirect": (Reply(status=302, headers={"Location": "http://127.0.0.1:9/"}, text="{}"), Exception),
    "a page of HTML": (Reply(headers={"Content-Type": "text/html"}, text=HTML), Exception),
    "a 404 of a proxy": (Reply(status=404, headers={"Content-Type": "text/html"}, text=HTML), Exception),
    "half a body": (Reply(text='{"data": [{"i'), Exception),
    "another JSON": (Reply(text='"maintenance"'), Exception),
}


class Refusing:
    """A mixin of `ListingSuite`."""

    @pytest.mark.parametrize("fault", FAULTS)
    async def test_what_is_no_read_is_no_list(self, harness: ListingHarness, listing: Listing, fault: str) -> None:
        fill(harness, listing, pages=0.1)
        harness.provider.fault, error = FAULTS[fault]
        with pytest.raises(error):
            await first(listing)
        harness.provider.fault = None
        assert (await first(listing)).rows

    @pytest.mark.parametrize("fault", FAULTS)
    async def test_what_is_no_read_is_no_answer(self, harness: ListingHarness, listing: Listing, fault: str) -> None:
        fill(harness, listing, pages=0.1)
        harness.provider.fault, error = FAULTS[fault]
        with pytest.raises(error):
            await listing.get_one(key(1))
        harness.provider.fault = None
        assert (await listing.get_one(key(1))).row is not None

    async def test_how_long_to_wait_is_told(self, harness: ListingHarness, listing: Listing) -> None:
        harness.provider.fault = Reply(status=429, headers={"Retry-After": "7"}, text="{}")
        for read in (first(listing), listing.get_one(key(1))):
            with pytest.raises(RateLimitedError) as found:
                await read
            assert found.value.retry_after == timedelta(seconds=7)

    async def test_only_what_is_said_of_an_item_itself_is_its_absence(self, listing: Listing) -> None:
        answer = await listing.get_one(key(1))
        assert answer.row is None
