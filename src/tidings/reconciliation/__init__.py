"""Comparing with what another system lists: what was missed is found, and how far the copy is right is proved."""

from tidings.reconciliation.listing import (
    Answer,
    Hint,
    Listing,
    Page,
    Row,
    Snapshot,
    keyed_row,
    next_link,
    raise_for_status,
    read_json,
    server_date,
)
from tidings.reconciliation.outbound.party.holds import Holds
from tidings.reconciliation.rules.facts import Capability, Order, Paging, ProviderFacts, Rate

__all__ = [
    "Answer",
    "Capability",
    "Hint",
    "Holds",
    "Listing",
    "Order",
    "Page",
    "Paging",
    "ProviderFacts",
    "Rate",
    "Row",
    "Snapshot",
    "keyed_row",
    "next_link",
    "raise_for_status",
    "read_json",
    "server_date",
]
