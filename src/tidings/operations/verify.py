"""Whether views are right: each current table compared with a refold of the log, while everything goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidings.errors import RefusedError
from tidings.events.envelope import Entry
from tidings.events.filter import EVERYTHING, Filter
from tidings.log.driver import Head, History, Page, Position
from tidings.log.log import Log
from tidings.operations.progress import Progress, unwatched
from tidings.operations.views import current_record
from tidings.store.driver import StoreDriver
from tidings.views.declaration import ViewSpec
from tidings.views.verify import Verification, Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A view's current table, and what its comparison with a refold of the log gave."""

    view: str
    table: str
    result: Verification


async def verify(
    log: Log, store: StoreDriver, views: Sequence[ViewSpec], *, progress: Progress = unwatched
) -> tuple[Verified, ...]:
    """Compare the current table of each view with a refold of the log; nothing has to stop for it.

    RefusedError for a view whose table is of another version than the one declared here. Views without folds, and
    those without a table, are left out: there is nothing to compare.
    """
    found = []
    for view in views:
        name = f"{view.service}.{view.name}"
        record = await current_record(store, name)
        if record is None or not view.folds or view.mode == "live":
            continue
        if record.shape != view.shape:
            raise RefusedError(
                f"{view} is version {view.version} here, but its current table is of version {record.declared}: "
                "verify it with that release, or after its rebuild"
            )
        watched = _Watched(log, name, (await log.head()).position, progress)
        result = await Verifier(view, record, store, watched).run()
        found.append(Verified(view=name, table=record.table.name, result=result))
    return tuple(found)


class _Watched:
    """A log that tells how far it has been read."""

    def __init__(self, log: Log, view: str, head: Position, progress: Progress) -> None:
        self._log = log
        self._what = f"verifying {view}"
        self._head = head
        self._progress = progress
        progress(self._what, 0, head)

    async def read(self, *, after: Position, limit: int, where: Filter = EVERYTHING) -> Page:
        page = await self._log.read(after=after, limit=limit, where=where)
        self._progress(self._what, min(page.upto, self._head), self._head)
        return page

    async def history(self, wanted: History) -> Sequence[Entry]:
        return await self._log.history(wanted)

    async def at(self, positions: Sequence[Position]) -> Sequence[Entry]:
        return await self._log.at(positions)

    async def head(self) -> Head:
        return await self._log.head()
