"""Which inline tables the types of an append are fed to."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tidings.backends.sqlite.views import Views
from tidings.errors import InlineViewError
from tidings.store.driver import InlineFolds
from tidings.store.rows import ViewRecord


class Inline:
    """The inline tables as the running transaction sees them, and the folds of this process.

    `folds` is what `hold_inline` was given: None if this process holds none.
    """

    def __init__(self, views: Views) -> None:
        self.folds: InlineFolds | None = None
        self._views = views

    def tables(self, connection: sqlite3.Connection, types: frozenset[str]) -> Sequence[ViewRecord]:
        """Return the tables that entries of these types are folded into, live and building.

        To be asked inside the append's transaction: any process may have made one since the last append.
        InlineViewError if this process does not hold the folds of one.
        """
        stamps = connection.execute("SELECT type, stamp FROM tidings_inline").fetchall()
        if types.isdisjoint(type for type, _ in stamps):
            return ()
        records = [
            record
            for record in self._views.all(connection)
            if record.mode == "inline" and record.state != "old" and not types.isdisjoint(record.types)
        ]
        self._check(records, types)
        return records

    def _check(self, records: Sequence[ViewRecord], types: frozenset[str]) -> None:
        for record in records:
            for type in types & frozenset(record.types):
                if self.folds is None or record.shape not in self.folds.stamps.get(type, ()):
                    raise InlineViewError(
                        f"{type} is folded into {record.table.name} when it is appended, and this process does not "
                        f"have that fold: append it from a process that runs this release of {record.table.service}"
                    )
