"""Where the events of a row are found again, when one of them comes late.

A row whose history lies within one subject needs nothing but the log: entries of a subject come in log order, so all at
or below the row's position are settled. A row that spans subjects has its entries noted beside it, one by one, because
the order of entries of different subjects is nobody's promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from tidings.events.envelope import Entry
from tidings.log.driver import Head, History, Position
from tidings.store.driver import Unit
from tidings.store.rows import Key, Row, ViewTable
from tidings.views.fold import UNREADABLE, Folding, Step

PAGE = 1000

Groups = dict[Key, list[Step]]


class Entries(Protocol):
    """The part of a log that refolding reads: the log itself, or its driver."""

    async def history(self, wanted: History) -> Sequence[Entry]: ...

    async def at(self, positions: Sequence[Position]) -> Sequence[Entry]: ...

    async def head(self) -> Head: ...


class RowHistory(Protocol):
    """How a view knows which entries its rows hold."""

    async def fresh(self, unit: Unit, steps: Groups, rows: Mapping[Key, Row]) -> Groups:
        """Return the steps that are not in their rows yet."""

    async def read(self, unit: Unit, upto: Mapping[Key, Position]) -> Groups:
        """Return all steps of these rows at or below a position of each, the fresh ones among them."""

    async def read_ahead(self, unit: Unit, failed: Groups, entries: Sequence[Entry]) -> Groups:
        """Return all steps of these rows that the log has by now, of later entries of the failed subjects too."""


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

    async def read(self, unit: Unit, upto: Mapping[Key, Position]) -> Groups:
        return await self.steps(upto)

    async def steps(self, upto: Mapping[Key, Position]) -> Groups:
        """Return all steps of these rows at or below a position of each, up to which their subjects are settled."""
        found: Groups = {}
        for entry in await self._entries(upto, max(upto.values())):
            try:
                key, step = self._folding.read(entry)
            except UNREADABLE:
                continue  # settled without being in a row: it was parked, and then given up
            if entry.position <= upto.get(key, 0):
                found.setdefault(key, []).append(step)
        return found

    async def read_ahead(self, unit: Unit, failed: Groups, entries: Sequence[Entry]) -> Groups:
        found: Groups = {}
        for entry in await self._entries(failed, await _reach(self._log, entries)):
            key, step = self._folding.read(entry)
            if key in failed:
                found.setdefault(key, []).append(step)
        return found

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

    async def read(self, unit: Unit, upto: Mapping[Key, Position]) -> Groups:
        return await self.steps(await unit.members(self._table, sorted(upto)))

    async def steps(self, members: Mapping[Key, Sequence[Position]]) -> Groups:
        """Return the steps that these entries are."""
        positions = sorted({position for noted in members.values() for position in noted})
        found: Groups = {}
        for start in range(0, len(positions), PAGE):
            for entry in await self._log.at(positions[start : start + PAGE]):
                key, step = self._folding.read(entry)
                found.setdefault(key, []).append(step)
        return found

    async def read_ahead(self, unit: Unit, failed: Groups, entries: Sequence[Entry]) -> Groups:
        upto = await _reach(self._log, entries)
        where = {step.position for group in failed.values() for step in group}
        failing = {entry.envelope.subject for entry in entries if entry.position in where}
        subjects = sorted(subject for subject in failing if subject is not None)
        wanted = History(subjects=subjects, types=self._folding.view.types, upto=upto)
        ahead = [self._folding.read(entry) for entry in await self._log.history(wanted)]
        await unit.join(self._table, [(key, step.position) for key, step in ahead if key in failed])
        return await self.read(unit, dict.fromkeys(failed, upto))


async def _reach(log: Entries, entries: Sequence[Entry]) -> Position:
    """Return the highest position that may be read now: entries of an append under way stand above the head."""
    return max((await log.head()).position, *(entry.position for entry in entries))
