"""Which table each view is read from now. Another process may swap one at any time, so the store is asked each time."""

from __future__ import annotations

from collections.abc import Iterable

from tidings.store.driver import StoreDriver
from tidings.store.rows import ViewRecord
from tidings.views.declaration import ViewSpec


class CurrentTables:
    """Finds the current tables. Inside a unit the answer holds until the unit ends, since nobody can swap meanwhile."""

    def __init__(self, store: StoreDriver) -> None:
        self._store = store

    async def of(self, view: ViewSpec) -> ViewRecord | None:
        """Return the view's current table, which may be an older release's; None if there is none."""
        return _live(view, await self._store.views())


def _live(view: ViewSpec, records: Iterable[ViewRecord]) -> ViewRecord | None:
    for record in records:
        if record.state == "current" and (record.table.service, record.table.view) == (view.service, view.name):
            return record
    return None
