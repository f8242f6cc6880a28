"""Facts of providers for tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tidings.reconciliation.rules.facts import Capability, Order, Paging, ProviderFacts, Rate

USUAL: dict[str, Any] = {
    "capability": Capability.VERSIONED,
    "order": Order.KEY,
    "paging": Paging.KEYSET,
    "page_limit": 100,
    "tick": timedelta(seconds=1),
    "replica_lag": timedelta(0),
    "redelivery_horizon": timedelta(days=3),
    "seekable": True,
    "cursor_life": None,
    "rate": Rate(per_second=25, burst=100),
}


def facts(**changed: Any) -> ProviderFacts:
    """Return the usual facts, with these changed."""
    return ProviderFacts(**{**USUAL, **changed})
