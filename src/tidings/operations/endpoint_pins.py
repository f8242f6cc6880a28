"""In which versions an endpoint is told each type: those that it may be pinned to, and which if nothing is said."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

from tidings.errors import InvalidConfigurationError
from tidings.events.codec import pointer
from tidings.store.driver import StoreDriver
from tidings.store.versions import no_version
from tidings.webhooks.deliver.configured import PINS_MAX
from tidings.webhooks.deliver.pinning import Lineages


async def newest_open(store: StoreDriver, types: frozenset[str] | None) -> Mapping[str, int]:
    """Return the newest version of each type that may be appended now, of as many types as an endpoint may pin.

    `types`: None for all. A type that is made known later is in none of them.
    """
    found: dict[str, int] = {}
    for each in await store.event_versions():
        if each.is_produced and (types is None or each.type in types):
            found[each.type] = max(each.version, found.get(each.type, 0))
    return dict(islice(found.items(), PINS_MAX))


async def check_pins(
    store: StoreDriver, pins: Any, lineages: Lineages, *, before: Mapping[str, int] = MappingProxyType({})
) -> None:
    """Raise InvalidConfigurationError for types that nobody has declared, and versions above the highest one there is.

    Those below are not looked for: one that only steps name is in no database. `before`: pins that may stay. What is no
    pin at all is for `endpoint_of` to say.
    """
    told = pins.items() if isinstance(pins, Mapping) else ()
    new = {type: version for type, version in told if isinstance(version, int) and before.get(type) != version}
    if not new:
        return
    there = {(each.type, each.version) for each in await store.event_versions()}
    there |= {(type, version) for type, lineage in lineages.items() for version in lineage.versions}
    highest: dict[str, int] = {}
    for type, version in there:
        highest[type] = max(version, highest.get(type, 0))
    faults = [
        (f"/pin{pointer(type[:64])}", str(no_version(type, str(version), there)))
        for type, version in new.items()
        if version > highest.get(type, 0)
    ]
    if faults:
        raise InvalidConfigurationError("; ".join(f"{at}: {why}" for at, why in faults[:5]), errors=faults)
