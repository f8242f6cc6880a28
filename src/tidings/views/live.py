"""A view without a table: the history of one subject, folded when it is read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

from tidings.errors import DeclarationError, InvalidDataError
from tidings.events.envelope import Entry
from tidings.log.driver import History, Position
from tidings.store.rows import Key, Row
from tidings.views.declaration import ViewSpec
from tidings.views.fold import Folding, in_rank_order

CACHED_ROWS = 1024


class Subjects(Protocol):
    """The part of a log that a live view reads: the log itself, or its driver."""

    async def history(self, wanted: History) -> Sequence[Entry]: ...

    async def last_of(self, subject: str) -> Position: ...


class Live:
    """Rows by key only. A row is folded again when its subject has a later entry than at the last time."""

    def __init__(self, view: ViewSpec, log: Subjects) -> None:
        if view.subject is None:
            raise DeclarationError(
                f"{view} spans subjects, so it cannot be folded from the history of one; make it async"
            )
        self.view = view
        self._subject = view.subject
        self._folding = Folding(view)
        self._log = log
        self._cache: OrderedDict[Key, tuple[Position, Row | None]] = OrderedDict()

    async def row(self, key: Sequence[Any]) -> Row | None:
        """Return the row of this key (stored values, in the view's order), None if there is none.

        FoldError if its fold fails; InvalidDataError or UnknownTypeError if an entry of its subject cannot be read.
        """
        wanted = tuple(key)
        if len(wanted) != len(self.view.key):
            raise InvalidDataError(f"{self.view} has the key {self.view.key!r}: give one value for each")
        subject = str(wanted[self._subject])
        last = await self._log.last_of(subject)
        cached = self._cache.get(wanted)
        if cached is not None and cached[0] == last:
            self._cache.move_to_end(wanted)
            return cached[1]
        row = await self._fold(wanted, subject, last) if last else None
        self._cache[wanted] = last, row
        self._cache.move_to_end(wanted)
        if len(self._cache) > CACHED_ROWS:
            self._cache.popitem(last=False)
        return row

    async def _fold(self, key: Key, subject: str, upto: Position) -> Row | None:
        history = await self._log.history(History(subjects=[subject], types=self.view.types, upto=upto))
        steps = self._folding.by_key(history).get(key)
        if not steps:
            return None
        row = self._folding.fold(key, in_rank_order(steps))
        return None if row.is_tombstone else row
