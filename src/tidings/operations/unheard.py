"""Names that were asked for and that nothing kept here has: mostly they are misspelt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidings.events.declaration import declared_class
from tidings.events.filter import Filter
from tidings.log.log import Log
from tidings.operations.roster import roster
from tidings.services.service import Service
from tidings.store.driver import StoreDriver


@dataclass(frozen=True, slots=True)
class Unheard:
    """Event types that no entry has and nobody knows. `known`: the types that the application or a consumer knows."""

    types: tuple[str, ...]
    known: tuple[str, ...]


async def unheard_types(
    log: Log, store: StoreDriver, services: Sequence[Service] | None, asked: frozenset[str]
) -> Unheard:
    """Return those of the types that are neither declared, nor read by a consumer, nor in the log.

    `services`: those of the application at hand, None if there is none. A type may well be in the log though the
    application does not declare it: others append to the log, and so did older releases.
    """
    declared = {declared_class(event).type for service in services or () for event in service.events}
    read = {type for reader in await roster(store, services) for type in reader.types or ()}
    floor = (await log.head()).floor
    unheard = [
        type
        for type in sorted(asked - declared - read)
        if not await log.count(after=floor, where=Filter(types=frozenset([type])), most=1)
    ]
    return Unheard(types=tuple(unheard), known=tuple(sorted(declared | read)))


async def is_heard(log: Log, where: Filter) -> bool:
    """Say whether any entry matches."""
    if where == Filter(subject=where.subject) and where.subject is not None:
        return await log.last_of(where.subject) > 0
    return await log.count(after=(await log.head()).floor, where=where, most=1) > 0
