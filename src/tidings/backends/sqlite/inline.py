"""Which inline tables the types of an append are fed to."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tidings.backends.sqlite.views import Views
from tidings.store.inline import InlineFolds
from tidings.store.rows import ViewRecord
from tidings.store.swapping import fed_by


class Inline:
    """The inline tables as the running transaction sees them, and the folds of this process.

    `folds` is what `hold_inline` was given: None if this process holds none.
    """

    def __init__(self, views: Views) -> None:
        self.folds: InlineFolds | None = None
        self._views = views

    def tables(self, connection: sqlite3.Connection, types: frozenset[str]) -> Sequence[ViewRecord]:
        """Return the tables that entries of these types are folded into, current and building.

        To be asked inside the append's transaction: any process may have made one since the last append.
        InlineViewError if this process does not hold the folds of one.
        """
        stamps = connection.execute("SELECT type, stamp FROM tidings_inline").fetchall()
        if types.isdisjoint(type for type, _ in stamps):
            return ()
        return fed_by(self._views.all(connection), types, self.folds)
