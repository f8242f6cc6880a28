"""Deliveries to an endpoint once more: those that are dead, and entries of the log, chunk by chunk.

Each chunk is a transaction, and pages by position alone. Whoever is interrupted calls again: a dead delivery that is
due again is not dead any more, and an entry is delivered once in a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tidings.errors import CallerError
from tidings.events.envelope import Entry
from tidings.events.filter import EVERYTHING, Filter
from tidings.log.log import Log
from tidings.operations.filtered import find_endpoint
from tidings.operations.progress import Progress, unwatched
from tidings.ports import Ports
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import EndpointDelivery, Range
from tidings.store.endpoints import EndpointRecord
from tidings.webhooks.deliver.fanout import Wanting, delivery_of
from tidings.webhooks.deliver.pinning import Lineages
from tidings.webhooks.deliver.sendings import NEW_IDS

CHUNK = 100
RUN_MAX = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What was done, or would be. `run`: of a replay; give it again to go on with one that was interrupted."""

    endpoint: str
    count: int
    within: Range
    run: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries are replayed: of the range and the filter, those that the endpoint's pattern takes.

    `missing_only`: not those that were delivered to it. `new_id`: receivers are to take them for new ones. `run`: None
    for a new run. `dry_run`: count only. `progress`: is told how far the log is read. `lineages`: by which the pattern
    is asked of the version that is told.
    """

    within: Range
    where: Filter = EVERYTHING
    missing_only: bool = False
    new_id: bool = False
    run: str | None = None
    dry_run: bool = False
    progress: Progress = unwatched
    lineages: Lineages = field(default_factory=dict)


async def recoverable(store: StoreDriver, id: str, within: Range) -> Again:
    """Count the dead deliveries of these positions, and change nothing. NotFoundError."""
    await find_endpoint(store, id)
    return Again(endpoint=id, count=await store.count_dead(id, within), within=within, dry_run=True)


async def recover(
    store: StoreDriver, ports: Ports, id: str, within: Range, *, who: str = "local", progress: Progress = unwatched
) -> Again:
    """Have the dead deliveries of these positions made again, oldest position first, each with a full budget.

    NotFoundError.
    """
    total = (await recoverable(store, id, within)).count
    async with store.changing(_change("endpoint-recovered", id, within, who)):
        pass
    count, left = 0, within
    while True:
        progress("recovering", count, total)
        page = await store.recover_endpoint(id, left, at=ports.clock.now_us(), limit=CHUNK)
        count += page.count
        if page.last is None:
            return Again(endpoint=id, count=count, within=within)
        left = Range(after=page.last, to=within.to)


async def replay(log: Log, store: StoreDriver, ports: Ports, id: str, wanted: Wanted, *, who: str = "local") -> Again:
    """Add deliveries of a run of their own for entries of the log.

    NotFoundError; PositionExpiredError; CallerError if `run` is no run's name.
    """
    endpoint = await find_endpoint(store, id)
    run = _run_of(wanted, ports)
    if not wanted.dry_run:
        async with store.changing(_change("endpoint-replayed", id, wanted.within, who, run)):
            pass
    count, after, wanting = 0, wanted.within.after, Wanting([endpoint], wanted.lineages)
    while after < wanted.within.to:
        wanted.progress("reading the log", after - wanted.within.after, wanted.within.to - wanted.within.after)
        page = await log.read(after=after, limit=CHUNK, where=wanted.where)
        entries = [entry for entry in page.entries if entry.position <= wanted.within.to]
        deliveries = _deliveries(endpoint, entries, wanting, run)
        if wanted.dry_run:
            known = await store.delivered(id, [each.position for each in deliveries]) if wanted.missing_only else ()
            count += sum(each.position not in known for each in deliveries)
        elif deliveries:
            count += await store.add_replayed(deliveries, missing_only=wanted.missing_only)
        if page.upto <= after:
            break
        after = page.upto
    return Again(
        endpoint=id, count=count, within=wanted.within, run=None if wanted.dry_run else run, dry_run=wanted.dry_run
    )


def _deliveries(
    endpoint: EndpointRecord, entries: Sequence[Entry], wanting: Wanting, run: str
) -> Sequence[EndpointDelivery]:
    return [
        delivery_of(entry, endpoint.id, pin=wanting.pin(endpoint.id, entry.envelope.type), run=run)
        for entry in entries
        if endpoint.id in wanting.endpoints(entry)
    ]


def new_run(ports: Ports, *, new_id: bool) -> str:
    """Return the name of a run that there was not yet."""
    return f"{NEW_IDS if new_id else 'r-'}{ports.random.getrandbits(64):016x}"


def _run_of(wanted: Wanted, ports: Ports) -> str:
    prefix = NEW_IDS if wanted.new_id else "r-"
    if wanted.run is None:
        return new_run(ports, new_id=wanted.new_id)
    if not wanted.run.startswith(prefix) or ":" in wanted.run or len(wanted.run) > RUN_MAX:
        raise CallerError(f"run: {wanted.run[:40]!r} is no run of this kind: give the one that was answered")
    return wanted.run


def _change(
    what: Literal["endpoint-recovered", "endpoint-replayed"], id: str, within: Range, who: str, run: str = ""
) -> Change:
    reason = f"after {within.after} to {within.to}{f', run {run}' if run else ''}"
    return Change(who=who, what=what, on=id, position=within.after, reason=reason)
