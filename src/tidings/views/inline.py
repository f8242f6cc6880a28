"""Views that are right the moment an append is answered: folded in the append's own transaction.

A fold that fails must not fail the append, which may come from somebody who knows nothing of the view. So its subject
is parked, in the same transaction, under the name of the view's consumer, and its later entries go behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tidings.errors import (
    ColumnOverflowError,
    FoldError,
    HistoryRemovedError,
    InlineViewError,
    TransformError,
    VersionUnreadableError,
)
from tidings.events.envelope import Entry
from tidings.events.identity import lane_subject
from tidings.ports import Ports
from tidings.store.reason import Reason
from tidings.store.rows import ViewRecord, ViewTable
from tidings.store.unit import Unit
from tidings.views.declaration import ViewSpec
from tidings.views.fold import UNREADABLE
from tidings.views.folder import Folder
from tidings.views.history import Entries

FIRST_RETRY_US = 1_000_000


@dataclass(frozen=True, slots=True)
class _Lane:
    """An entry with the subject it waits with when that is parked."""

    subject: str
    entry: Entry


class InlineFolds:
    """The inline views of this process, as `tidings.store.inline.InlineFolds` asks for them."""

    def __init__(self, views: Iterable[ViewSpec], log: Entries, ports: Ports) -> None:
        self._views = {(view.service, view.name, view.shape): view for view in views if view.mode == "inline"}
        self._log = log
        self._ports = ports
        self._folders: dict[tuple[ViewTable, bool], Folder] = {}
        shapes: dict[str, set[str]] = {}
        for view in self._views.values():
            for type in view.types:
                shapes.setdefault(type, set()).add(view.shape)
        self.stamps: Mapping[str, frozenset[str]] = {type: frozenset(found) for type, found in shapes.items()}

    async def apply(self, unit: Unit, entries: Sequence[Entry], tables: Sequence[ViewRecord]) -> None:
        """Fold the entries into each of the tables; a failing fold parks its subject.

        InlineViewError for a table whose folds this process does not hold.
        """
        for record in tables:
            folder = self._folder(record)
            wanted = [_Lane(_subject(entry), entry) for entry in entries if entry.envelope.type in folder.types]
            if wanted:
                await self._fold(unit, folder, wanted)

    def _folder(self, record: ViewRecord) -> Folder:
        table, building = record.table, record.state == "building"
        found = self._folders.get((table, building))
        if found is None:
            view = self._views.get((table.service, table.view, record.shape))
            if view is None:
                raise InlineViewError(
                    f"{table.name} is folded when its events are appended, and this process does not have those folds: "
                    f"append {', '.join(record.types)} from a process that runs this release of {table.service}"
                )
            found = self._folders[table, building] = Folder(
                view,
                table,
                self._log,
                feed="appended beside" if building else "appended",
                observer=self._ports.observer,
            )
        return found

    async def _fold(self, unit: Unit, folder: Folder, wanted: Sequence[_Lane]) -> None:
        waiting = await unit.parked(folder.name, sorted({lane.subject for lane in wanted}))
        free = [lane for lane in wanted if lane.subject not in waiting]
        try:
            async with unit.savepoint():
                await folder.apply(unit, [lane.entry for lane in free])
        except (FoldError, *UNREADABLE):
            await self._fold_singly(unit, folder, wanted, parked=set(waiting))
            return
        for lane in wanted:
            if lane.subject in waiting:
                await unit.park(folder.name, lane.subject, [lane.entry], None)

    async def _fold_singly(self, unit: Unit, folder: Folder, wanted: Sequence[_Lane], *, parked: set[str]) -> None:
        for lane in wanted:
            reason = None
            if lane.subject not in parked:
                reason = await self._try(unit, folder, lane.entry)
                if reason is None:
                    continue
                parked.add(lane.subject)
            await unit.park(folder.name, lane.subject, [lane.entry], reason)

    async def _try(self, unit: Unit, folder: Folder, entry: Entry) -> Reason | None:
        """Fold one entry; return why it failed, None if it did not."""
        try:
            async with unit.savepoint():
                await folder.apply(unit, [entry])
        except (ColumnOverflowError, HistoryRemovedError) as error:
            return Reason(kind="fold-failed", error=_told(error), next_at=None)
        except FoldError as error:
            return Reason(kind="fold-failed", error=_told(error), next_at=self._ports.clock.now_us() + FIRST_RETRY_US)
        except UNREADABLE as error:
            return Reason(kind=_kind(error), error=_told(error), next_at=None)
        return None


def _subject(entry: Entry) -> str:
    envelope = entry.envelope
    return lane_subject(envelope.source, envelope.id, envelope.subject)


def _kind(error: Exception) -> str:
    if isinstance(error, TransformError):
        return "transform-failed"
    return "version-unreadable" if isinstance(error, VersionUnreadableError) else "undecodable"


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
