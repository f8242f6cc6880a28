"""What every adapter of a provider must do, and whether its facts are true of the provider.

    class TestMyListing(ListingSuite):
        @pytest.fixture
        async def harness(self):
            harness = MyHarness()  # a ListingHarness, over Provider(Behaviour.worst(MyListing.facts))
            yield harness
            await harness.close()

A provider that is as bad as the facts allow tests the adapter. One that is as its documentation says tests the facts.
Of the redelivery horizon nothing can be seen in a list, so it is believed. pytest-asyncio has to run in its auto mode.
"""

from __future__ import annotations

import pytest

from tidings.conformance.listing_errors import Refusing
from tidings.conformance.listing_facts import Declaring
from tidings.conformance.listing_harness import ListingHarness
from tidings.conformance.listing_pages import Paging
from tidings.reconciliation.listing import Listing


class ListingSuite(Paging, Declaring, Refusing):
    """For an adapter. Its harness is a `ListingHarness`."""

    @pytest.fixture
    async def listing(self, harness: ListingHarness) -> Listing:
        return await harness.open()
