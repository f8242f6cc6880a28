"""A view compared with a refold of the log, row by row, while events keep arriving.

A row within one subject is right if it is the fold of its subject's history up to the row's own position; a row that
spans subjects, if it is the fold of the entries noted for it. And every entry up to the checkpoint must be in its row.
Both are judged in pages, so memory stays bounded, and nothing has to stop: a row's position only rises. Entries that an
operator dropped are in no row. Any other one that cannot be read any more is a difference: nobody can say what its row
should be.

Of the rows that readers see the fingerprint is told: two databases hold the same ones where it is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, Protocol

import msgspec

from tidings.errors import FoldError, RefusedError
from tidings.events.envelope import Entry
from tidings.events.filter import EVERYTHING, Filter
from tidings.events.identity import lane_subject
from tidings.fingerprints.rows import NONE, Fingerprint, RowHash, fingerprint
from tidings.log.driver import Page, Position
from tidings.store.driver import StoreDriver
from tidings.store.rows import Key, Row, ViewRecord
from tidings.store.unit import Unit
from tidings.views.declaration import ViewSpec, consumer_name
from tidings.views.fold import UNREADABLE, Folding, in_rank_order, same
from tidings.views.history import Entries, Found, Groups, MemberHistory, SubjectHistory

ROWS = 200
ENTRIES = 1000
SHOWN = 20


class Readable(Entries, Protocol):
    """The part of a log that a verification reads: the log itself, or its driver."""

    async def read(self, *, after: Position, limit: int, where: Filter = EVERYTHING) -> Page: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row that is not what the log says. `found`, `expected`: its values as stored, None for no row.

    `kind` "differs": other values; "extra": no entry makes it; "missing": the entry at `position` is not in it;
    "fails": its fold fails, or the entry at `position`, whose row is not known, cannot be read, as `error` says.
    `key`: empty where it is not known.
    """

    kind: Literal["differs", "extra", "missing", "fails"]
    key: Key
    found: tuple[Any, ...] | None = None
    expected: tuple[Any, ...] | None = None
    position: Position | None = None
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class Verification:
    """What was compared. `rows`: those that readers see; `tombstones`: those that they do not; `entries` up to `upto`:
    those that were dropped, those of parked subjects and those that cannot be read, which are differences, are counted
    apart, too. `differing`: how many differences there are; `first`: the first of them. `fingerprint`: of the rows."""

    upto: Position
    fingerprint: Fingerprint = NONE
    tombstones: int = 0
    entries: int = 0
    dropped: int = 0
    parked: int = 0
    unreadable: int = 0
    differing: int = 0
    first: list[Difference] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.fingerprint.rows

    @property
    def is_right(self) -> bool:
        return self.differing == 0

    def note(self, difference: Difference) -> None:
        self.differing += 1
        if len(self.first) < SHOWN:
            self.first.append(difference)


@dataclass(frozen=True, slots=True)
class _Aside:
    """Entries that are in no row. `waiting`: parked subjects, with the position of the first entry that waits."""

    waiting: Mapping[str, Position]
    dropped: frozenset[Position]

    def waits(self, entry: Entry) -> bool:
        envelope = entry.envelope
        first = self.waiting.get(lane_subject(envelope.source, envelope.id, envelope.subject))
        return first is not None and first <= entry.position


_encode = msgspec.json.encode


class _Undo(Exception):
    """Leaves a unit so that nothing of it is kept; no error."""


class Verifier:
    """Compares one table of a view with the log it was folded from."""

    def __init__(self, view: ViewSpec, record: ViewRecord, store: StoreDriver, log: Readable) -> None:
        if not view.folds or view.mode == "live":
            raise RefusedError(f"{view} cannot be verified: only tables that folds make can be folded again")
        self._view = view
        self._record = record
        self._table = record.table
        self._store = store
        self._log = log
        self._folding = Folding(view)
        self._consumer = consumer_name(record.table)
        # No secret: it is compared by those who run both databases, and the key is the same in each of them.
        self._hash = RowHash(sha256(f"{view.service}.{view.name}".encode()).digest())

    async def run(self) -> Verification:
        """Compare every row, and look for every entry; return the counts and the first differences."""
        result = Verification(upto=await self._settled())
        await self._compare_rows(result)
        await self._look_for_entries(result)
        return result

    async def _settled(self) -> Position:
        if self._record.mode == "inline" and self._record.state == "current":
            return (await self._log.head()).position
        checkpoints = await self._store.checkpoints(self._consumer)
        return min((checkpoint.position for checkpoint in checkpoints.values()), default=0)

    async def _compare_rows(self, result: Verification) -> None:
        after: Key | None = None
        while page := await self._store.every(self._table, after=after, limit=ROWS):
            rows = {self._folding.codec.key(row.values): row for row in page}
            after = next(reversed(rows))
            compared, history = await self._history(rows)
            seen = {key: row for key, row in compared.items() if not row.is_tombstone}
            result.fingerprint = result.fingerprint.plus(self._fingerprint(seen))
            result.tombstones += len(compared) - len(seen)
            for key, row in compared.items():
                if key not in history.unread:  # that is told where the entry itself is looked for
                    self._compare(key, row, history.steps, result)

    async def _history(self, rows: Mapping[Key, Row]) -> tuple[Mapping[Key, Row], Found]:
        """Return the rows, as they are now where they span subjects, and the steps that they should be the fold of."""
        if self._view.subject is not None:
            within = SubjectHistory(self._folding, self._log, self._view.subject)
            dropped = await self._dropped()
            return rows, await within.steps({key: row.position for key, row in rows.items()}, dropped)
        async with self._store.unit() as unit:
            now = await unit.rows(self._table, sorted(rows))
            members = await unit.members(self._table, sorted(rows))
            dropped = await unit.dropped(self._table)
        return now, await MemberHistory(self._folding, self._log, self._table).steps(members, dropped)

    def _fingerprint(self, rows: Mapping[Key, Row]) -> Fingerprint:
        return fingerprint(self._hash(_encode(key), _encode(row.values)) for key, row in rows.items())

    async def _dropped(self) -> frozenset[Position]:
        async with self._store.unit() as unit:
            return await unit.dropped(self._table)

    def _compare(self, key: Key, row: Row, history: Groups, result: Verification) -> None:
        steps = history.get(key)
        if not steps:
            result.note(Difference(kind="extra", key=key, found=_values(row)))
            return
        try:
            expected = self._folding.fold(key, in_rank_order(steps))
        except FoldError as error:
            result.note(Difference(kind="fails", key=key, found=_values(row), error=str(error)))
            return
        if not same(row, expected):
            result.note(Difference(kind="differs", key=key, found=_values(row), expected=_values(expected)))

    async def _look_for_entries(self, result: Verification) -> None:
        where = Filter(types=self._view.types)
        waiting = {parked.subject: parked.first_position for parked in await self._store.parked(self._consumer)}
        aside = _Aside(waiting, await self._dropped())  # in this order: what waits may be dropped meanwhile
        after = 0
        while after < result.upto:
            page = await self._log.read(after=after, limit=ENTRIES, where=where)
            due = [entry for entry in page.entries if entry.position <= result.upto]
            for key, position in await self._absent(self._placed(due, aside, result)):
                result.note(Difference(kind="missing", key=key, position=position))
            if page.upto <= after:
                break
            after = page.upto

    def _placed(self, entries: Sequence[Entry], aside: _Aside, result: Verification) -> list[tuple[Key, Position]]:
        """Return where each entry belongs, but for those that are not to be in a row; note those that nobody can read.

        One that is dropped or waits may well be unreadable.
        """
        placed = []
        for entry in entries:
            result.entries += 1
            if entry.position in aside.dropped:
                result.dropped += 1
            elif aside.waits(entry):
                result.parked += 1
            else:
                try:
                    placed.append((self._folding.read(entry)[0], entry.position))
                except UNREADABLE as error:
                    result.unreadable += 1
                    result.note(Difference(kind="fails", key=(), position=entry.position, error=str(error)))
        return placed

    async def _absent(self, placed: Sequence[tuple[Key, Position]]) -> Iterable[tuple[Key, Position]]:
        """Return the entries that are not in their rows."""
        if not placed:
            return ()
        try:
            async with self._store.unit() as unit:
                absent = await self._not_in(unit, placed)
                raise _Undo  # asking which members are not noted notes them
        except _Undo:
            return absent

    async def _not_in(self, unit: Unit, placed: Sequence[tuple[Key, Position]]) -> Iterable[tuple[Key, Position]]:
        if self._view.spans:
            return sorted(await unit.join(self._table, placed), key=lambda pair: pair[1])
        rows = await unit.rows(self._table, sorted({key for key, _ in placed}))
        return [(key, position) for key, position in placed if key not in rows or rows[key].position < position]


def _values(row: Row) -> tuple[Any, ...] | None:
    return None if row.is_tombstone else row.values
