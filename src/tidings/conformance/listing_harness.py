"""What a test of an adapter hands to its suite: a provider, and the adapter that asks it."""

from __future__ import annotations

from typing import Protocol

from tidings.conformance.listing_provider import Provider
from tidings.reconciliation.listing import Listing


class ListingHarness(Protocol):
    """One provider of its own for each test, empty at first, served as the adapter wants it: over HTTP, in the
    provider's own words. Its `value` may be any member of an item that the copy holds."""

    provider: Provider

    async def open(self) -> Listing:
        """Serve the provider, and return an adapter of it."""

    async def close(self) -> None:
        """Close everything that was opened."""
