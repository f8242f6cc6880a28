"""A view built anew beside the old one, then swapped, while events keep arriving.

The new table has a consumer of its own, which folds the log from its beginning. Reads go to the old table until one
transaction makes the new one the live one, which it can only be when it has seen all that the old one has.

An inline view's new table is written by every append from the commit of its building record on; such a write folds
its row from the whole history, since nobody knows yet what the table holds. Where that meets what the consumer brings
from the past, positions tell what is in a row already. So the table is whole once the consumer has passed the head of
that moment.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tidings.errors import RefusedError
from tidings.log.driver import Position
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.rows import ViewRecord
from tidings.views.declaration import ViewSpec, consumer_name
from tidings.views.folder import Folder
from tidings.views.history import Entries
from tidings.views.tables import Standing, standing

POLL_SECONDS = 0.02

Carry = Callable[[Folder], AbstractAsyncContextManager[None]]
"""Runs a consumer of this reaction until the block is left, and leaves the block itself if the consumer fails."""


class Progress(Protocol):
    """Is told where the new table stands, and the head it has to reach."""

    def __call__(self, *, at: Position, head: Position) -> None: ...


def no_progress(*, at: Position, head: Position) -> None:
    """Tell nobody."""


class Rebuild:
    """Builds views anew. A rebuild that was broken off is taken up again where it stood."""

    def __init__(self, store: StoreDriver, log: Entries, carry: Carry, ports: Ports) -> None:
        self._store = store
        self._log = log
        self._carry = carry
        self._ports = ports

    async def run(self, view: ViewSpec, *, progress: Progress = no_progress) -> ViewRecord:
        """Build the view's next table and make it the live one; return its record.

        RefusedError if the view has no folds or no table, or if the new table's consumer was paused.
        """
        if not view.folds or view.mode == "live":
            raise RefusedError(f"{view} cannot be rebuilt: only tables that folds make can")
        before = standing(view, await self._store.views())
        record = await self._begin(view, before)
        self._ports.points.at("swap:building")
        whole_at = (await self._log.head()).position
        async with self._carry(Folder(view, record.table, self._log)):
            await self._reach(record, whole_at, progress)
            self._ports.points.at("swap:drained")
            await self._swap(record, before.live)
        self._ports.points.at("swap:flipped")
        return record

    async def _begin(self, view: ViewSpec, before: Standing) -> ViewRecord:
        for record in before.records:
            if record.state == "building" and (record.shape, record.mode) == (view.shape, view.mode):
                return record
        for record in before.records:
            if record.state != "live":
                await self._store.drop_view(record)
                await self._store.forget(consumer_name(record.table))
        record = view.record(before.next_version, "building")
        await self._store.create_view(record)
        return record

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

    async def _swap(self, record: ViewRecord, old: ViewRecord | None) -> None:
        # An inline table has no checkpoint that it could be compared with: it is as new as the log itself.
        rival = consumer_name(old.table) if old is not None and old.mode == "async" else None
        while not await self._store.swap_view(record, consumer=consumer_name(record.table), old_consumer=rival):
            await self._ports.clock.sleep(POLL_SECONDS)
