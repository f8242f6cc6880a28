"""Sending to an endpoint again: what died, or what the log has. Both go on, when repeated, where they were stopped."""

from __future__ import annotations

from dataclasses import replace

from tidings.errors import CallerError
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.operations.progress import Progress, unwatched
from tidings.ports import Clock
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Range
from tidings.store.endpoints import no_endpoint

CHUNK = 100


async def range_of(log: Log, *, after: Position | None, to: Position | None) -> Range:
    """Return the positions after `after`, else from the first one, and up to `to`, else to the head. CallerError."""
    head = (await log.head()).position
    found = Range(after=after or 0, to=head if to is None else min(to, head))
    if to is not None and found.after > to:
        raise CallerError("the range ends before it begins: give the earlier position as `after`")
    return found


async def dead_in(store: StoreDriver, id: str, within: Range) -> int:
    """Return how many deliveries of these positions are dead. NotFoundError."""
    if await store.endpoint(id) is None:
        raise no_endpoint(id)
    return await store.count_dead(id, within)


async def recover(
    store: StoreDriver, clock: Clock, id: str, within: Range, *, who: str, progress: Progress = unwatched
) -> int:
    """Have the dead deliveries of these positions made again, each with a full budget; say how many.

    They are made due in transactions of `CHUNK`, the first of which the audit keeps. NotFoundError.
    """
    total = await dead_in(store, id, within)
    change = Change(who=who, what="recover", on=id, reason=f"{total} dead after {within.after}, up to {within.to}")
    async with store.changing(change) as changing:
        page = await changing.recover_endpoint(id, within, at=clock.now_us(), limit=CHUNK)
    done = page.count
    while page.last is not None:
        progress("recovering", min(done, total), total)
        page = await store.recover_endpoint(id, replace(within, after=page.last), at=clock.now_us(), limit=CHUNK)
        done += page.count
    progress("recovering", done, max(done, total))
    return done
