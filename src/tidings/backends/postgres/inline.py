"""Which inline tables the types of an append are fed to."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.views import Views
from tidings.store.inline import InlineFolds
from tidings.store.rows import ViewRecord
from tidings.store.swapping import fed_by

_ARE_FED = (
    "SELECT EXISTS (SELECT FROM tidings.inline WHERE type = ANY ($1::text[])) "
    "AND set_config('lock_timeout', $2, true) IS NOT NULL"
)


class Inline:
    """The inline tables as the running transaction sees them, and the folds of this process.

    `folds` is what `hold_inline` was given: None if this process holds none.
    """

    def __init__(self, views: Views) -> None:
        self.folds: InlineFolds | None = None
        self._views = views

    async def tables(
        self, connection: Connection, types: frozenset[str], *, within: float | None
    ) -> Sequence[ViewRecord]:
        """Return the tables that entries of these types are folded into, current and building.

        `within`: how many seconds the transaction waits for a lock from here on, in each statement; None: for ever.
        To be asked after the append, in its transaction: since then it holds ORDER, and whoever makes a table waits
        for all who held that before the table was there. So none is missed. InlineViewError if this process does not
        hold the folds of one.
        """
        if not await connection.fetchval(_ARE_FED, list(types), "0" if within is None else f"{within}s"):
            return ()
        return fed_by(await self._views.all(connection), types, self.folds)
