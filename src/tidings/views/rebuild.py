"""A view built anew beside the old one, then swapped, while events keep arriving.

The new table has a consumer of its own, which folds the log from its beginning. Reads go to the old table until one
transaction makes the new one the live one, which it can only be when it has all that the old one has: also of the
subjects that the new folds fail on and the old ones did not. While they are retried, the swap waits; once one is dead,
an operator has to decide.

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

from tidings.errors import RefusedError
from tidings.log.driver import Position
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.parking import Parked
from tidings.store.rows import ViewRecord
from tidings.views.declaration import ViewSpec, consumer_name
from tidings.views.folder import Folder
from tidings.views.history import Entries
from tidings.views.tables import Standing, standing

POLL_SECONDS = 0.02
_LAST = 2**63 - 1

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

        RefusedError if the view has no folds or no table, if the new table's consumer was paused, or if a subject is
        dead for it that the live table has.
        """
        if not view.folds or view.mode == "live":
            raise RefusedError(f"{view} cannot be rebuilt: only tables that folds make can")
        before = standing(view, await self._store.views())
        record = await self._begin(view, before)
        self._ports.points.at("swap:building")
        whole_at = (await self._log.head()).position
        async with self._carry(Folder(view, record.table, self._log, feed="rebuilt", observer=self._ports.observer)):
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
        rival = None if old is None else consumer_name(old.table)
        while not await self._store.swap_view(record, consumer=consumer_name(record.table), old_consumer=rival):
            await self._checkpoint(record)
            if old is not None:
                await self._check_dead(record, old)
            await self._ports.clock.sleep(POLL_SECONDS)

    async def _check_dead(self, record: ViewRecord, old: ViewRecord) -> None:
        """Raise RefusedError if a subject is dead for the new table by an entry that the live one has."""
        new = await self._store.parked(consumer_name(record.table))
        # In this order: what the live table parks, it parks before it has passed it.
        passed = await self._passed(old)
        waiting = {each.subject: each.first_position for each in await self._store.parked(consumer_name(old.table))}
        dead = [
            each
            for each in new
            if each.state == "dead"
            and each.first_position <= passed
            and each.first_position < waiting.get(each.subject, _LAST)
        ]
        if dead:
            raise RefusedError(_told(dead, record, old))

    async def _passed(self, old: ViewRecord) -> Position:
        if old.mode == "inline":
            return _LAST
        checkpoints = (await self._store.checkpoints(consumer_name(old.table))).values()
        return max((checkpoint.position for checkpoint in checkpoints), default=0)


def _told(dead: Sequence[Parked], record: ViewRecord, old: ViewRecord) -> str:
    first, new = dead[0], consumer_name(record.table)
    shown = first.subject.replace("\x00", "\\0")
    what, count = f"{new} {shlex.quote(shown)}", f"{len(dead)} subject{'s are' if len(dead) > 1 else ' is'}"
    return (
        f"{record.table.name} may not take the place of {old.table.name}, since reads would go back: {count} parked "
        f"for {new} and not for {consumer_name(old.table)}, first '{shown}' at position {first.first_position} "
        f"({first.error:.300}). Correct the fold, then `tidings dead redrive {what}`, or give the entry up with "
        f"`tidings dead drop {what} --reason …`; then rebuild again: it is taken up where it stood"
    )
