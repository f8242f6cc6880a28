"""A view built anew beside its current table, then swapped, while events keep arriving.

The new table has a consumer of its own, which folds the log from its beginning. Reads go to the current table until
one transaction makes the new one the current one, which it can only be when it has all that the other has, and is not
known to lack a subject. While one is retried for it, the swap waits; once one is dead, an operator has to decide. What
is parked for the replaced table goes away with the swap, since nobody reads that any more, and nobody could redrive it.

An inline view's new table is written by every append from the commit of its building record on; such a write folds
its row from the whole history, since nobody knows yet what the table holds. Where that meets what the consumer brings
from the past, positions tell what is in a row already. So the table is whole once the consumer has passed the head of
that moment.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tidings.errors import PositionExpiredError, RefusedError
from tidings.log.driver import Position
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.parking import Parked
from tidings.store.rows import ViewRecord
from tidings.views.declaration import ViewSpec, consumer_name
from tidings.views.folder import Folder
from tidings.views.history import Entries
from tidings.views.tables import Standing, standing
from tidings.wording import counted

POLL_SECONDS = 0.02

Carry = Callable[[Folder], AbstractAsyncContextManager[None]]
"""Runs a consumer of this reaction until the block is left, and leaves the block itself if the consumer fails."""


class Progress(Protocol):
    """Is told where the new table stands, the head it has to reach, and which retried subjects it waits for."""

    def __call__(self, *, at: Position, head: Position, waiting: Sequence[Parked] = ()) -> None: ...


def no_progress(*, at: Position, head: Position, waiting: Sequence[Parked] = ()) -> None:
    """Tell nobody."""


class Rebuild:
    """Builds views anew. A rebuild that was broken off is taken up again where it stood."""

    def __init__(self, store: StoreDriver, log: Entries, carry: Carry, ports: Ports) -> None:
        self._store = store
        self._log = log
        self._carry = carry
        self._ports = ports

    async def run(
        self, view: ViewSpec, *, progress: Progress = no_progress, who: str = "", accepts_parked: bool = False
    ) -> ViewRecord:
        """Build the view's next table and make it the current one; return its record.

        `who`: as of `tidings.store.audit.Change`. `accepts_parked`: whether the new table may be read although subjects
        are parked for it. RefusedError if the view has no folds or no table, if the new table's consumer was paused,
        or, where there is another table to be read, if a subject is dead for it or events were removed from the log.
        """
        if not view.folds or view.mode == "live":
            raise RefusedError(f"{view} cannot be rebuilt: only tables that folds make can")
        before = standing(view, await self._store.views())
        await self._check_kept(view, before)
        record = await self._begin(view, before)
        self._ports.points.at("swap:building")
        whole_at = (await self._log.head()).position
        folder = Folder(view, record.table, self._log, feed="rebuilt", observer=self._ports.observer)
        try:
            async with self._carry(folder):
                await self._reach(record, whole_at, progress)
                self._ports.points.at("swap:drained")
                await self._swap(record, before.current, progress, who=who, accepts_parked=accepts_parked)
        except PositionExpiredError:
            await self._check_kept(view, standing(view, await self._store.views()))
            raise
        self._ports.points.at("swap:flipped")
        return record

    async def _check_kept(self, view: ViewSpec, before: Standing) -> None:
        """Let no table that lacks what was removed from the log take the place of one that has it."""
        floor = (await self._log.head()).floor
        if before.current is None or floor == 0:
            return
        building = _building(view, before)
        if building is not None and await self._checkpoint(building) >= floor:
            return
        await self._drop_others(before)
        raise RefusedError(
            f"{view} cannot be built anew: events up to position {floor} were removed from the log, and the new table "
            f"would lack what {before.current.table.name} has of them, which is read as before: put them back first, "
            "or declare a view of another name, which begins with what is kept"
        )

    async def _begin(self, view: ViewSpec, before: Standing) -> ViewRecord:
        building = _building(view, before)
        if building is not None:
            return building
        await self._drop_others(before)
        record = view.record(before.next_version, "building")
        await self._store.create_view(record)
        return record

    async def _drop_others(self, before: Standing) -> None:
        for record in before.records:
            if record.state != "current":
                await self._store.drop_view(record)
                await self._store.forget(consumer_name(record.table))

    async def _reach(self, record: ViewRecord, head: Position, progress: Progress) -> None:
        while True:
            at = await self._checkpoint(record)
            progress(at=at, head=head)
            if at >= head:
                return
            await self._ports.clock.sleep(POLL_SECONDS)

    async def _checkpoint(self, record: ViewRecord) -> Position:
        name = consumer_name(record.table)
        checkpoints = (await self._store.checkpoints(name)).values()
        for checkpoint in checkpoints:
            if checkpoint.paused is not None:
                raise RefusedError(f"{name} is paused ({checkpoint.paused}): resume it, then rebuild the view again")
        return min((checkpoint.position for checkpoint in checkpoints), default=0)

    async def _swap(
        self, record: ViewRecord, current: ViewRecord | None, progress: Progress, *, who: str, accepts_parked: bool
    ) -> None:
        new, rival = consumer_name(record.table), None if current is None else consumer_name(current.table)
        while not await self._store.swap_view(
            record, consumer=new, replaced_consumer=rival, who=who, accepts_parked=accepts_parked
        ):
            at = await self._checkpoint(record)
            if current is not None and not accepts_parked:
                progress(at=at, head=at, waiting=await self._retrying(record, current))
            await self._ports.clock.sleep(POLL_SECONDS)

    async def _retrying(self, record: ViewRecord, current: ViewRecord) -> Sequence[Parked]:
        """Return the subjects that are retried for the new table. RefusedError if one is dead."""
        parked = await self._store.parked(consumer_name(record.table))
        dead = [each for each in parked if each.state == "dead"]
        if dead:
            raise RefusedError(_told(dead, record, current))
        return parked


def _building(view: ViewSpec, before: Standing) -> ViewRecord | None:
    """Return the table that an earlier run began, if it can be taken up."""
    for record in before.records:
        if record.state == "building" and (record.shape, record.mode) == (view.shape, view.mode):
            return record
    return None


def _told(dead: Sequence[Parked], record: ViewRecord, current: ViewRecord) -> str:
    first, new, view = dead[0], consumer_name(record.table), f"{record.table.service}.{record.table.view}"
    shown = first.subject.replace("\x00", "\\0")
    what, count = f"{new} {shlex.quote(shown)}", counted(len(dead), "subject is", "subjects are")
    return (
        f"{record.table.name} may not take the place of {current.table.name}, since it is known to lack something: "
        f"{count} dead for {new}, first '{shown}' at position {first.first_position} ({first.error:.300}). Correct the "
        f"fold, then `tidings dead redrive {what}`, or give the entry up with `tidings dead drop {what} --reason …`; "
        "then rebuild again: it is taken up where it stood. To have it read as it is: "
        f"`tidings views rebuild {view} --accept-parked`"
    )
