"""The reaction of a view's consumer: a page of entries is folded as one set.

What is promised: once the same entries are in a row, it is the same row, whatever order, pages and repetitions they
came in. It is what folding them once each, in rank order, from None gives.

- An entry above the row's rank is one step onto it. An entry below makes the row be folded again from its history.
- A fold may well fail on an incomplete history, for instance on a change of what was not made yet. So when one fails,
  the row is folded once more with all that the log has of it by now, before its subject is parked.
- A row that spans subjects holds the entries noted for it. One that is parked with its subject is missing from the row,
  and only that one, until it is redriven; then its rank decides, as always.
- An entry that an operator dropped is given up for ever: it is left out wherever it comes again, which is in a refold,
  when one looks ahead, in a replay, and in the tables that are built later. It need never be taken out of a row: it was
  dropped because it failed, or waited behind one that did, and so was not folded. The one exception is an entry that
  waited, and that an earlier one, when it was redriven, found ahead of it; the next refold leaves it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from tidings.errors import FoldError
from tidings.events.envelope import Entry
from tidings.ports import NoObserver, Observer
from tidings.store.rows import Key, Row, ViewTable
from tidings.store.unit import Unit
from tidings.views.declaration import ViewSpec, consumer_name
from tidings.views.fold import UNREADABLE, Folding, Step, in_rank_order
from tidings.views.history import Entries, Groups, MemberHistory, RowHistory, SubjectHistory
from tidings.views.ranks import is_above

Feed = Literal["carried", "rebuilt", "appended", "appended beside"]
"""Where a table's entries come from: its consumer, also one that reads the log from the beginning to build it anew; or
the appends themselves, of a current table or of one that is being built beside it."""


class Folder:
    """Folds entries into one table of a view. Errors say which entry failed; nothing of the page is kept then.

    Appends fold each row of a table "beside" from its whole history, never on top of what is there: while it is being
    built, nobody knows whether a row holds everything that came before.
    """

    def __init__(
        self,
        view: ViewSpec,
        table: ViewTable,
        log: Entries,
        *,
        feed: Feed = "carried",
        observer: Observer | None = None,
    ) -> None:
        self.view = view
        self.table = table
        self.name = consumer_name(table)
        self.types = view.types
        self.spans = table.spans
        self._feed = feed
        self._observer = NoObserver() if observer is None else observer
        self._folding = Folding(view)
        self._history: RowHistory = (
            MemberHistory(self._folding, log, table)
            if view.subject is None
            else SubjectHistory(self._folding, log, view.subject)
        )
        # Rows that span subjects hold what is noted for them, so they are right at every moment of a build.
        self._from_history = feed == "appended beside" and view.subject is not None

    async def apply(self, unit: Unit, entries: Sequence[Entry], *, gated: bool = False) -> None:
        """Fold entries, which are in log order; those that are in their rows already change nothing, gated or not.

        FoldError; UnknownTypeError and InvalidDataError for an entry that cannot be read: one of these, or one in the
        history of a row that one of these came late for.
        """
        if self._may_be_dropped(entries, gated=gated):
            dropped = await unit.dropped(self.table)
            entries = [entry for entry in entries if entry.position not in dropped]
        groups = self._folding.by_key(entries)
        if not groups:
            return
        keys = sorted(groups)
        rows = await unit.rows(self.table, keys)
        fresh = await self._history.fresh(unit, groups, rows)
        folded = _Folded(self._folding)
        late: Groups = {}
        for key, group in fresh.items():
            row = rows.get(key)
            steps = group if len(group) == 1 else in_rank_order(group)
            if (row is None and not self._from_history) or self._goes_on(row, steps[0]):
                folded.fold(key, steps, onto=row)
            else:
                late[key] = group
        if late:
            await self._refold(unit, rows, late, folded)
        if folded.failed:
            await self._look_ahead(unit, rows, {key: fresh[key] for key in folded.failed}, entries, folded)
        if folded.rows:
            await unit.replace(self.table, [folded.rows[key] for key in keys if key in folded.rows])

    def _may_be_dropped(self, entries: Sequence[Entry], *, gated: bool) -> bool:
        """Say whether some of these may be given up. Asking costs a query, and what comes first cannot be."""
        if self._feed == "carried":
            return gated or len(entries) == 1  # as a redrive is, perhaps of one that followed in a replay
        return self._feed == "rebuilt"

    def _goes_on(self, row: Row | None, lowest: Step) -> bool:
        """Say whether steps from this one on can be folded onto the row."""
        if self._from_history:
            return False
        return row is None or is_above(lowest.at, lowest.source, lowest.id, row.rank)

    async def _refold(self, unit: Unit, rows: Mapping[Key, Row], late: Groups, folded: _Folded) -> None:
        self._observer.refolded(f"{self.view.service}.{self.view.name}", len(late))
        upto = {key: max(step.position for step in group) for key, group in late.items()}
        history = await self._history.read(unit, rows, upto, await unit.dropped(self.table))
        for key, group in late.items():
            folded.fold(key, in_rank_order([*history.get(key, ()), *group]))

    async def _look_ahead(
        self, unit: Unit, rows: Mapping[Key, Row], failed: Groups, entries: Sequence[Entry], folded: _Folded
    ) -> None:
        first = next(iter(folded.failed.values()))
        try:
            dropped = await unit.dropped(self.table)
            history = await self._history.read_ahead(unit, rows, failed, entries, dropped)
            for key, group in failed.items():
                folded.rows[key] = self._folding.fold(key, in_rank_order([*history.get(key, ()), *group]))
        except (FoldError, *UNREADABLE):
            raise first from first.__cause__


class _Folded:
    """What became of each row of a page."""

    __slots__ = ("_folding", "failed", "rows")

    def __init__(self, folding: Folding) -> None:
        self._folding = folding
        self.rows: dict[Key, Row] = {}
        self.failed: dict[Key, FoldError] = {}

    def fold(self, key: Key, steps: Sequence[Step], *, onto: Row | None = None) -> None:
        try:
            self.rows[key] = self._folding.fold(key, steps, onto=onto)
        except FoldError as error:
            self.failed[key] = error
