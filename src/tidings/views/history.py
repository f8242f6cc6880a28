"""Where the events of a row are found again, when one of them comes late.

A row whose history lies within one subject needs nothing but the log: entries of a subject come in log order, so all at
or below the row's position are settled. A row that spans subjects has its entries noted beside it, one by one, because
the order of entries of different subjects is nobody's promise.

Entries that an operator dropped are given up for ever, so they are left out wherever a history is read. Any other one
that cannot be read is part of its row, and to go on without it would make the row wrong: whoever needs it fails. So is
one that was removed from the log. Of a row that spans subjects it is known which these are. Of one within a subject it
is not; but what is left of its history has to make the row that is kept, else some of it is missing. What was removed
and then undone by what is left is not found by that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from tidings.errors import CallerError, FoldError, HistoryRemovedError, TransformError, VersionUnreadableError
from tidings.events.envelope import Entry
from tidings.log.driver import Head, History, Position
from tidings.store.rows import Key, Row, ViewTable
from tidings.store.unit import Unit
from tidings.views.fold import UNREADABLE, Folding, Step, in_rank_order, same

PAGE = 1000

Groups = dict[Key, list[Step]]
Unread = CallerError | TransformError | VersionUnreadableError


class Entries(Protocol):
    """The part of a log that refolding reads: the log itself, or its driver."""

    async def history(self, wanted: History) -> Sequence[Entry]: ...

    async def at(self, positions: Sequence[Position]) -> Sequence[Entry]: ...

    async def head(self) -> Head: ...


@dataclass(frozen=True, slots=True)
class Found:
    """Histories of rows. `unread`: the rows whose history has entries that cannot be read, and why the first cannot."""

    steps: Groups = field(default_factory=dict)
    unread: dict[Key, Unread] = field(default_factory=dict)

    def whole(self) -> Groups:
        """Return the steps; raise why one cannot be read, if one cannot."""
        for error in self.unread.values():
            if isinstance(error, VersionUnreadableError):
                raise error
            raise type(error)(
                f"its row cannot be folded anew, since {error}; have the event's class, or a fold of its version, read "
                "that again, then redrive the subject",
                errors=error.errors,
            ) from error
        return self.steps


class RowHistory(Protocol):
    """How a view knows which entries its rows hold. `dropped`: where those stand that are left out of it. `rows`: those
    that are kept."""

    async def fresh(self, unit: Unit, steps: Groups, rows: Mapping[Key, Row]) -> Groups:
        """Return the steps that are not in their rows yet."""

    async def read(
        self, unit: Unit, rows: Mapping[Key, Row], upto: Mapping[Key, Position], dropped: AbstractSet[Position]
    ) -> Groups:
        """Return all steps of the rows `upto` a position of each, the fresh ones among them.

        One of `fold.UNREADABLE`, naming the entry, if one of their entries cannot be read. HistoryRemovedError if one
        was removed from the log."""

    async def read_ahead(
        self,
        unit: Unit,
        rows: Mapping[Key, Row],
        failed: Groups,
        entries: Sequence[Entry],
        dropped: AbstractSet[Position],
    ) -> Groups:
        """Return all steps of these rows that the log has by now, of later entries of the failed subjects too.

        Raises as `read`."""


class SubjectHistory:
    """The history of rows that lie within one subject: the place in the key that holds it is `subject`."""

    def __init__(self, folding: Folding, log: Entries, subject: int) -> None:
        self._folding = folding
        self._log = log
        self._subject = subject

    async def fresh(self, unit: Unit, steps: Groups, rows: Mapping[Key, Row]) -> Groups:
        if not rows:
            return steps
        found: Groups = {}
        for key, group in steps.items():
            row = rows.get(key)
            if row is not None and group[0].position <= row.position:
                group = [step for step in group if step.position > row.position]
            if group:
                found[key] = group
        return found

    async def read(
        self, unit: Unit, rows: Mapping[Key, Row], upto: Mapping[Key, Position], dropped: AbstractSet[Position]
    ) -> Groups:
        steps = (await self.steps(upto, dropped)).whole()
        floor = (await self._log.head()).floor
        for key in upto.keys() & rows.keys() if floor else ():
            if not self._makes(rows[key], steps.get(key, ()), key):
                raise _removed(self._folding, key, floor)
        return steps

    def _makes(self, row: Row, steps: Sequence[Step], key: Key) -> bool:
        """Say whether a row is the fold of those of the steps that are in it."""
        within = [step for step in steps if step.position <= row.position]
        try:
            return bool(within) and same(self._folding.fold(key, in_rank_order(within)), row)
        except FoldError:
            return False

    async def steps(self, upto: Mapping[Key, Position], dropped: AbstractSet[Position]) -> Found:
        """Return all steps of these rows at or below a position of each, up to which their subjects are settled.

        Whose row an entry is that cannot be read, nobody knows: it is one of its subject's.
        """
        found = Found()
        for entry in await self._entries(upto, max(upto.values())):
            if entry.position in dropped:
                continue
            try:
                key, step = self._folding.read(entry)
            except UNREADABLE as error:
                for key in self._rows_of(entry, upto):
                    found.unread.setdefault(key, error)
                continue
            if entry.position <= upto.get(key, 0):
                found.steps.setdefault(key, []).append(step)
        return found

    def _rows_of(self, entry: Entry, upto: Mapping[Key, Position]) -> Iterable[Key]:
        subject = entry.envelope.subject
        return [key for key, last in upto.items() if str(key[self._subject]) == subject and entry.position <= last]

    async def read_ahead(
        self,
        unit: Unit,
        rows: Mapping[Key, Row],
        failed: Groups,
        entries: Sequence[Entry],
        dropped: AbstractSet[Position],
    ) -> Groups:
        reach = await _reach(self._log, entries)
        return await self.read(unit, rows, dict.fromkeys(failed, reach), dropped)

    async def _entries(self, keys: Iterable[Key], upto: Position) -> Sequence[Entry]:
        subjects = sorted({str(key[self._subject]) for key in keys})
        return await self._log.history(History(subjects=subjects, types=self._folding.view.types, upto=upto))


class MemberHistory:
    """The history of rows that span subjects: their entries are noted in the unit that folds them."""

    def __init__(self, folding: Folding, log: Entries, table: ViewTable) -> None:
        self._folding = folding
        self._log = log
        self._table = table

    async def fresh(self, unit: Unit, steps: Groups, rows: Mapping[Key, Row]) -> Groups:
        noted = await unit.join(self._table, [(key, step.position) for key, group in steps.items() for step in group])
        found: Groups = {}
        for key, group in steps.items():
            group = [step for step in group if (key, step.position) in noted]
            if group:
                found[key] = group
        return found

    async def read(
        self, unit: Unit, rows: Mapping[Key, Row], upto: Mapping[Key, Position], dropped: AbstractSet[Position]
    ) -> Groups:
        members = await unit.members(self._table, sorted(upto))
        steps = (await self.steps(members, dropped)).whole()
        for key, noted in members.items():
            gone = {*noted} - dropped - {step.position for step in steps.get(key, ())}
            floor = (await self._log.head()).floor if gone else 0
            if gone and min(gone) <= floor:
                raise _removed(self._folding, key, floor)
        return steps

    async def steps(self, members: Mapping[Key, Sequence[Position]], dropped: AbstractSet[Position]) -> Found:
        """Return the steps that these entries are."""
        rows = {position: key for key, noted in members.items() for position in noted if position not in dropped}
        positions = sorted(rows)
        found = Found()
        for start in range(0, len(positions), PAGE):
            for entry in await self._log.at(positions[start : start + PAGE]):
                try:
                    key, step = self._folding.read(entry)
                except UNREADABLE as error:
                    found.unread.setdefault(rows[entry.position], error)
                    continue
                found.steps.setdefault(key, []).append(step)
        return found

    async def read_ahead(
        self,
        unit: Unit,
        rows: Mapping[Key, Row],
        failed: Groups,
        entries: Sequence[Entry],
        dropped: AbstractSet[Position],
    ) -> Groups:
        upto = await _reach(self._log, entries)
        where = {step.position for group in failed.values() for step in group}
        failing = {entry.envelope.subject for entry in entries if entry.position in where}
        subjects = sorted(subject for subject in failing if subject is not None)
        wanted = History(subjects=subjects, types=self._folding.view.types, upto=upto)
        history = [entry for entry in await self._log.history(wanted) if entry.position not in dropped]
        ahead = [self._folding.read(entry) for entry in history]
        await unit.join(self._table, [(key, step.position) for key, step in ahead if key in failed])
        return await self.read(unit, rows, dict.fromkeys(failed, upto), dropped)


async def _reach(log: Entries, entries: Sequence[Entry]) -> Position:
    """Return the highest position that may be read now: entries of an append under way stand above the head."""
    return max((await log.head()).position, *(entry.position for entry in entries))


def _removed(folding: Folding, key: Key, floor: Position) -> HistoryRemovedError:
    return HistoryRemovedError(
        f"the row {key!r:.100} of {folding.view} cannot be folded anew for an event that came late: entries up to "
        f"{floor} were removed from the log, some of its own among them, or its fold was changed since; put them back "
        "and redrive the subject, or drop the event"
    )
