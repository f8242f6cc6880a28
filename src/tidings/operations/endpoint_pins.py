"""In which version an endpoint that says nothing of it is told each type."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from tidings.store.driver import StoreDriver
from tidings.webhooks.deliver.configured import PINS_MAX


async def newest_open(store: StoreDriver, types: frozenset[str] | None) -> Mapping[str, int]:
    """Return the newest version of each type that may be appended now, of as many types as an endpoint may pin.

    `types`: None for all. A type that is made known later is in none of them.
    """
    found: dict[str, int] = {}
    for each in await store.event_versions():
        if each.is_produced and (types is None or each.type in types):
            found[each.type] = max(each.version, found.get(each.type, 0))
    return dict(islice(found.items(), PINS_MAX))
