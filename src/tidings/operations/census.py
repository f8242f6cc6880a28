"""The census as a store tells it: what is produced, accepted, under way, pinned and stored now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from tidings.errors import NotFoundError
from tidings.log.driver import Position
from tidings.store.claims import Checkpoint
from tidings.store.driver import StoreDriver
from tidings.store.rows import ViewRecord
from tidings.store.versions import Counted, VersionLease
from tidings.versions.answer import AsOf
from tidings.versions.assuming import assuming
from tidings.versions.census import Census, Kind, Pinned, Transit, consumer_of
from tidings.versions.said import said_of
from tidings.webhooks.deliver.fanout import NAME as ENDPOINTS
from tidings.webhooks.deliver.fanout import reads_data_of, types_of

READ_MOST = 100_000
"""More entries before a consumer are not read to be counted: their number is an upper bound."""
_PAGE = 1_000


async def census(store: StoreDriver, *, assume: Collection[str] = ()) -> Census:
    """Return what is known now. In the store of `deciding` it is part of that transaction.

    `assume`: consumers that count as they ran last, if nothing of them runs. NotFoundError for one that never did."""
    versions, said = await store.event_versions(), await store.version_leases()
    checkpoints = await _checkpoints(store)
    counted = await store.tallies(marks=[_lowest(each) for each in checkpoints.values()])
    leases, assumed = assuming(said, _known(assume, said), now=counted.now)
    stored = _entries(counted)
    transit = {consumer_of(name): await _before(store, name, each, counted) for name, each in checkpoints.items()}
    for each in leases:
        if each.role == "accept" and each.consumer not in transit and not said_of(each.details).reads_all:
            transit[each.consumer] = Transit(entries=stored)  # it has never run, and begins with the first entry
    return Census(
        as_of=AsOf(time=counted.now, position=counted.head),
        versions=tuple(versions),
        leases=leases,
        stored=stored,
        segments={(each.type, each.version): each.segments for each in counted.tallies},
        transit=transit,
        waiting=tuple(await store.waiting_versions()),
        endpoints=await _endpoints(store),
        again=await _again(store, leases, counted),
        assumed=assumed,
        is_whole=not counted.differs,
    )


def _known(assume: Collection[str], said: Sequence[VersionLease]) -> Collection[str]:
    there = {each.consumer for each in said if each.role == "accept"}
    for name in sorted({*assume} - there):
        raise NotFoundError("consumer", name, there)
    return assume


async def _again(
    store: StoreDriver, leases: Sequence[VersionLease], counted: Counted
) -> Mapping[str, Mapping[Kind, int]]:
    """Return, by consumer, what stands within the time that it may be made to read again: upper bounds."""
    begins: dict[str, int] = {}
    for each in leases:
        after = said_of(each.details).again_after
        if each.role == "accept" and after is not None:
            begins[each.consumer] = min(after, begins.get(each.consumer, after))
    return {name: _entries(await store.tallies(after=after, known=counted)) for name, after in begins.items()}


async def _checkpoints(store: StoreDriver) -> dict[str, Mapping[int, Checkpoint]]:
    """Return how far those consumers are that carry events on."""
    records = {record.table.consumer: record for record in await store.views()}
    names = [name for name in await store.consumers() if name != ENDPOINTS and _carries(records.get(name))]
    return {name: await store.checkpoints(name) for name in names}


def _lowest(checkpoints: Mapping[int, Checkpoint]) -> Position:
    return min((each.position for each in checkpoints.values()), default=0)


def _carries(record: ViewRecord | None) -> bool:
    return record is None or (record.state == "current" and record.mode == "async")


async def _before(
    store: StoreDriver, consumer: str, checkpoints: Mapping[int, Checkpoint], counted: Counted
) -> Transit:
    lowest = _lowest(checkpoints)
    if lowest >= max((each.last for each in counted.tallies), default=0):
        return Transit(entries={})
    bound = await store.tallies(after=lowest, known=counted)
    is_one = len({each.position for each in checkpoints.values()}) == 1
    if bound.is_exact and is_one:
        return Transit(entries=_entries(bound))
    if sum(each.entries for each in bound.tallies) > READ_MOST:
        return Transit(entries=_entries(bound), is_exact=False)
    return Transit(entries=_entries(await store.tallies_of(consumer)))


def _entries(counted: Counted) -> Mapping[Kind, int]:
    return {(each.type, each.version): each.entries for each in counted.tallies}


async def _endpoints(store: StoreDriver) -> tuple[Pinned, ...]:
    found: list[Pinned] = []
    while page := await store.endpoints(after=found[-1].endpoint if found else None, limit=_PAGE):
        for each in page:
            config = msgspec.json.decode(each.config)
            pins, reads_data = config.get("pin") or {}, reads_data_of(config)
            found.append(Pinned(endpoint=each.id, pins=pins, types=types_of(config), reads_data=reads_data))
    return tuple(found)
