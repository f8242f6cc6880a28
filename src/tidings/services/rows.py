"""The rows of a service's views, as its handlers and commands read and write them inside their transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from tidings.errors import DeclarationError, InvalidDataError, PositionNotReachedError
from tidings.services.act import Act
from tidings.services.origin import Origin
from tidings.store.rows import Key, Rank, Row, ViewRecord, ViewTable
from tidings.store.unit import Unit
from tidings.views.columns import forms_of
from tidings.views.declaration import ViewSpec
from tidings.views.live import Live, Subjects
from tidings.views.ranks import member_rank
from tidings.views.values import LongKeyError, RowCodec, Stored, Values, indexed

R = TypeVar("R")


class Tables(Protocol):
    """Says which table a view is read from. Inside a unit the answer holds until the unit ends."""

    async def of(self, view: ViewSpec) -> ViewRecord | None:
        """Return the view's current table; None while it is being built for the first time."""


class Given(NamedTuple):
    """A key as the author gave it: in one piece, or by the names of its members."""

    key: Any
    named: Mapping[str, Any]


class Shelves:
    """The views of one service by their row classes."""

    def __init__(self, service: str, views: Iterable[ViewSpec], tables: Tables, log: Subjects) -> None:
        self._service = service
        self._tables = tables
        self._shelves = {view.row: _Shelf(view, log) for view in views}
        self._unit: Unit | None = None
        self._found: dict[type, ViewTable] = {}

    async def get(self, unit: Unit, view: type[R], given: Given) -> R | None:
        """Return the row of this key, None if there is none."""
        shelf = self._shelf(view)
        key = shelf.key(given)
        if shelf.live is not None:
            row = await shelf.live.row(key)
        else:
            row = (await unit.rows(await self._table(unit, shelf.view), [key])).get(key)
        return None if row is None or row.is_tombstone else cast(R, shelf.codec.load(row.values))

    async def put(self, act: Act, row: Any) -> None:
        """Keep the row, unless a later one is kept."""
        if isinstance(row, type):
            raise DeclarationError(f"{row.__qualname__} is a class: give one row of it, written {row.__qualname__}(…)")
        shelf = self._writable(type(row))
        values = shelf.stored(row)
        key = shelf.codec.key(values)
        at = None if shelf.view.rank is None else member_rank(getattr(row, shelf.view.rank))
        await self._keep(act, shelf.view, key, lambda kept: _written(act.origin, values, kept, at=at))

    async def delete(self, act: Act, view: type, given: Given) -> None:
        """Remove the row, unless a later one is kept; that it was removed is remembered.

        DeclarationError if the view has a rank: a delete has none, so what it removes would depend on when it arrives.
        """
        shelf = self._writable(view)
        if shelf.view.rank is not None:
            raise DeclarationError(
                f"{shelf.view} is ordered by {shelf.view.rank!r}, which a delete does not have: put a row that says it "
                f"is gone (a member such as `gone: bool = False` of {view.__qualname__}), or delete by a fold"
            )
        key = shelf.key(given)
        values = shelf.codec.tombstone(key)
        await self._keep(act, shelf.view, key, lambda kept: _written(act.origin, values, kept, at=None, kind=1))

    async def _keep(self, act: Act, view: ViewSpec, key: Key, made: Callable[[Row | None], Row]) -> None:
        try:
            indexed(view.key, key)
        except LongKeyError as error:
            raise InvalidDataError(f"{view} cannot keep this row: {error}") from error
        table, name, row = await self._table(act.unit, view), (view.row, key), made(None)
        if act.origin.entry is not None and name not in act.written and not row.rank.kind:
            act.written[name] = None
            await act.unit.put(table, [row])  # an event's rank is its own: no need to look at what is kept
            return
        kept = (await act.unit.rows(table, [key])).get(key)
        row = made(kept)
        if name in act.written and kept is not None and kept.rank.hash == row.rank.hash:
            chosen = _rewritten(row, kept, before=act.written[name])
        elif kept is None or row.rank > kept.rank:
            act.written[name], chosen = kept, row
        else:
            return
        await act.unit.replace(table, [chosen])

    async def _table(self, unit: Unit, view: ViewSpec) -> ViewTable:
        if unit is not self._unit:  # what was found in one unit says nothing about the next
            self._unit, self._found = unit, {}
        found = self._found
        table = found.get(view.row)
        if table is None:
            table = found[view.row] = await self._look_up(view)
        return table

    async def _look_up(self, view: ViewSpec) -> ViewTable:
        record = await self._tables.of(view)
        if record is None or record.shape != view.shape:
            raise PositionNotReachedError(f"{view} is being built: try again when it is")
        return record.table

    def _shelf(self, view: type) -> _Shelf:
        if not isinstance(view, type):
            raise DeclarationError(f"{view!r:.100} is no view's class: give that, then the key, as in (Row, key=…)")
        found = self._shelves.get(view)
        if found is None:
            there = ", ".join(row.__qualname__ for row in self._shelves) or "none"
            raise DeclarationError(
                f"{view.__qualname__} is no view of {self._service}, which has {there}: a service sees its own views "
                "only; fold the other's events into one"
            )
        return found

    def _writable(self, view: type) -> _Shelf:
        shelf = self._shelf(view)
        if shelf.view.folds:
            raise DeclarationError(
                f"{shelf.view} is written by its folds alone: emit an event that they fold, or declare a view without "
                "folds for what handlers write"
            )
        return shelf


class _Shelf:
    """One view, ready to be read and written."""

    def __init__(self, view: ViewSpec, log: Subjects) -> None:
        forms = forms_of(view.row)
        self.view = view
        self.codec = RowCodec(view.row, view.columns, tuple(forms.values()), view.key)
        self.live = Live(view, log) if view.mode == "live" else None
        self._stored_key = Stored(view.key, [forms[name] for name in view.key])

    def key(self, given: Given) -> Key:
        """Return the key as it is stored."""
        wanted = self.view.key
        if given.named:
            values = tuple(given.named[name] for name in wanted if name in given.named)
            fits = given.key is None and set(given.named) == set(wanted)
        else:
            values = given.key if isinstance(given.key, tuple) else (given.key,)
            fits = len(values) == len(wanted)
        if not fits:
            form = ", ".join(f"{name}=…" for name in wanted)
            raise InvalidDataError(f"{self.view} has the key {wanted!r}: write ({self.view.row.__name__}, {form})")
        try:
            return self._stored_key(values)
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidDataError(f"{values!r:.200} is no key of {self.view}: {error}") from error

    def stored(self, row: Any) -> Values:
        """Return the row's values as stored."""
        try:
            return self.codec.stored(self.codec.values(row))
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidDataError(f"{row!r:.200} cannot be a row of {self.view}: {error}") from error


def _written(origin: Origin, values: Values, kept: Row | None, *, at: int | None, kind: int = 0) -> Row:
    """Return the row that an act writes. `at`: what the view's own rank member says; None: it is ordered by time."""
    entry = origin.entry
    if at is None:
        at = origin.time_us
        if entry is None and kept is not None:
            # A command decides on what it has read, so it comes after that, whatever the clocks say.
            at = max(at, kept.rank.at + 1)
    position = entry.position if entry is not None else 0
    return Row(values, Rank(at, 0, kind, origin.tie), max(position, kept.position if kept else 0))


def _rewritten(row: Row, kept: Row, *, before: Row | None) -> Row:
    """Return what is kept of a row once the act that wrote it writes it again. `before`: the row it took the place of.

    A put has a lower rank than a delete of the same time, so it may not stand where the act's own delete could.
    """
    if row.rank >= kept.rank:
        return row
    if not kept.rank.kind:
        return kept  # of two writes of a view with a rank the higher one wins, also if both are one act's
    return row if before is None or row.rank > before.rank else before
