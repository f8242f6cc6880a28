"""Having a consumer begin with the oldest entry that is kept, after others were removed that it has not read."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.errors import RefusedError
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.operations.roster import Reader, named, roster
from tidings.operations.views import current_record
from tidings.services.service import Service
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver


async def begin(
    log: Log, store: StoreDriver, services: Sequence[Service] | None, consumer: str, *, who: str
) -> Position:
    """Have it go on after the highest position that was removed, and return that; what it did not read is left out.

    Partitions that are past it stay where they are. NotFoundError; RefusedError if the consumer has never run, since
    nobody knows its partitions, has read all that was removed, or builds a table that is to take another one's place.
    """
    reader, floor = named(await roster(store, services), consumer), (await log.head()).floor
    if reader.is_inline or reader.is_replaced:
        raise RefusedError(f"{reader.name} reads nothing from the log, so nothing that was removed keeps it")
    if await takes_a_place(store, reader):
        raise RefusedError(
            f"{reader.name} is being built beside a table that has what was removed, and would lack it: run "
            "`tidings views rebuild` of its view again, which says so and takes it away"
        )
    if not reader.checkpoints:
        raise RefusedError(f"{reader.name} has never run: start its application, which goes on once this was said")
    if all(each.position >= floor for each in reader.checkpoints.values()):
        raise RefusedError(f"{reader.name} has read all that was removed from the log, so nothing of it keeps it")
    async with store.changing(Change(who=who, what="begin", on=reader.name, position=floor + 1)) as changing:
        await changing.skip(reader.name, to=floor)
    return floor


async def takes_a_place(store: StoreDriver, reader: Reader) -> bool:
    """Say whether it builds a table beside a current one, so that it may not do without what was removed."""
    if reader.record is None or reader.record.state != "building":
        return False
    table = reader.record.table
    return await current_record(store, f"{table.service}.{table.view}") is not None
