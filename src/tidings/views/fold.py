"""Folding the events of one row: pure, in rank order, whatever order they came in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import msgspec

from tidings.errors import (
    ColumnOverflowError,
    EnvelopeError,
    FoldError,
    InvalidDataError,
    TransformError,
    UnknownTypeError,
    VersionUnreadableError,
)
from tidings.events.codec import Decoder
from tidings.events.envelope import Entry, Envelope
from tidings.events.identity import identity_key
from tidings.store.rows import Key, Rank, Row
from tidings.versions.step import Unreadable
from tidings.views.columns import forms_of, forms_of_members
from tidings.views.declaration import FoldSpec, ViewSpec
from tidings.views.ranks import member_rank, time_rank
from tidings.views.values import LongKeyError, RowCodec, TooLargeError, Values, key_of, reader_of

UNREADABLE = (UnknownTypeError, InvalidDataError, EnvelopeError, TransformError, VersionUnreadableError)
"""What `Folding.read` raises: an entry that does not become readable by trying again."""


class Step(msgspec.Struct, frozen=True, gc=False):
    """One event on its way into a row, and the fold that takes it there."""

    at: int
    position: int
    source: str
    id: str
    event: Any
    function: Callable[[Any, Any], Any]

    @property
    def hash(self) -> int:
        """The tie-breaker. Worked out when it is asked for, which is once a row and page, unless times are equal."""
        return identity_key(self.source, self.id)


class _Rule(msgspec.Struct, frozen=True):
    """What is known of one event class in one view, worked out once. `led`: what reads a version that has no fold as
    that class, and returns the event first."""

    decode: Callable[[bytes], Any]
    key: Callable[[Any], Values]
    rank: Callable[[Any], Any] | None
    function: Callable[[Any, Any], Any]
    led: Callable[[Envelope], tuple[Any, bytes | None]] | None = None


class Folding:
    """One view's folds, ready to run: entries become steps, steps become rows."""

    def __init__(self, view: ViewSpec) -> None:
        self.view = view
        self._subject = view.subject
        self._types = view.types
        self._reader = view.reader
        self._rules = {(fold.declared.type, fold.declared.version): _rule(view, fold) for fold in view.folds}
        forms = forms_of(view.row)
        self.codec = RowCodec(view.row, view.columns, tuple(forms.values()), view.key)
        # Each row takes these: looking them up anew costs a tenth of folding it.
        self._row, self._is_plain = view.row, self.codec.stored.is_plain
        self._values, self._store, self._key = self.codec.values, self.codec.stored.__call__, self.codec.key

    def read(self, entry: Entry) -> tuple[Key, Step]:
        """Return an entry of the view's types as the key of its row and the step it is.

        UnknownTypeError: this type has no fold. VersionUnreadableError: no steps lead from this version to one that
        has. TransformError: one of these steps failed. InvalidDataError: the data, the key, the rank or the subject is
        not what the event's class says, or its code raised anything at all. Each names the entry.
        """
        envelope = entry.envelope
        rule = self._rules.get((envelope.type, envelope.version)) or self._led(entry)
        led = None if rule.led is None else rule.led(envelope)
        place, is_elsewhere = self._subject, False
        try:
            given = envelope.data
            event = rule.decode(b"{}" if given is None else given) if led is None else led[0]
            key = rule.key(event)
            at = time_rank(entry) if rule.rank is None else member_rank(rule.rank(event))
            if place is not None:
                is_elsewhere = bool(envelope.subject != key[place] and envelope.subject != str(key[place]))
        except BaseException as error:  # classes may have code of their own, and it may raise what it likes
            raise self._not_placed(entry, error) from error
        if is_elsewhere:
            raise self._elsewhere(entry, key)
        return key, Step(at, entry.position, envelope.source, envelope.id, event, rule.function)

    def _led(self, entry: Entry) -> _Rule:
        """Return the rule for a version that has no fold and is read as one that has. Kept: ways do not change."""
        type, version = entry.envelope.type, entry.envelope.version
        way = None if self._reader is None else self._reader.way(type, version)
        if way is not None and not isinstance(way, Unreadable):
            found = self._rules[type, version] = msgspec.structs.replace(self._rules[type, way.version], led=way.read)
            return found
        if type not in self._types:
            raise self._unknown(entry)
        why = self._unknown_text(entry) if way is None else f"{_place(entry)}, for {self.view}: {way.why}"
        raise VersionUnreadableError(why, position=entry.position, errors=[("/dataversion", why)])

    def by_key(self, entries: Sequence[Entry]) -> dict[Key, list[Step]]:
        """Return the steps of each row, in the order of the entries."""
        rows: dict[Key, list[Step]] = {}
        read = self.read
        for entry in entries:
            key, step = read(entry)
            steps = rows.get(key)
            if steps is None:
                rows[key] = [step]
            else:
                steps.append(step)
        return rows

    def fold(self, key: Key, steps: Sequence[Step], *, onto: Row | None = None) -> Row:
        """Return the row after these steps, which are in rank order and above the row `onto`; FoldError.

        An event that no row results of leaves a tombstone, which keeps the rank.
        """
        row = None if onto is None or onto.is_tombstone else self.codec.load(onto.values)
        values: Values | None = None
        position = 0 if onto is None else onto.position
        for step in steps:
            try:
                row = step.function(row, step.event)
                if row is not None:
                    values = self._stored(row, key)
                    row = row if self._is_plain else self.codec.load(values)
            except BaseException as error:  # an exit, too: a fold has nothing to end but itself
                raise self._failed(step, error) from error
            if step.position > position:
                position = step.position
        last = steps[-1]
        if row is None or values is None:
            return Row(self.codec.tombstone(key), _rank((last.at, 0, 1, last.hash)), position)
        return Row(values, _rank((last.at, 0, 0, last.hash)), position)

    def _stored(self, row: Any, key: Key) -> Values:
        """Return the values of what a fold returned, as stored; TypeError or ValueError if it may not return that."""
        if type(row) is not self._row:
            raise TypeError(f"it returned {row!r:.100}, which is no {self._row.__qualname__} and not None")
        values = self._store(self._values(row))
        if self._key(values) != key:
            raise ValueError(f"it returned a row of another key, {self._key(values)!r} instead of {key!r}")
        return values

    def _failed(self, step: Step, error: BaseException) -> FoldError:
        name = getattr(step.function, "__qualname__", "a fold")
        where = f"a fold of {self.view}, failed on event {step.source!r} {step.id!r} at position {step.position}"
        if isinstance(error, TooLargeError):
            return ColumnOverflowError(
                f"{name}, {where}: {error}; if numbers of this size are meant, declare it Decimal or str and rebuild "
                "the view, else correct the fold and redrive the subject, or drop the entry"
            )
        told = f"{type(error).__name__}: {_said(error)}"
        return FoldError(f"{name}, {where} with {told}; correct the fold, then redrive the subject")

    def _not_placed(self, entry: Entry, error: BaseException) -> InvalidDataError:
        if isinstance(error, InvalidDataError):
            return InvalidDataError(f"{_place(entry)} cannot be read: {error}", errors=error.errors)
        why = f"{type(error).__name__}: {_said(error)}"
        if isinstance(error, LongKeyError):
            why = (
                f"{error}: correct who sends it and drop this entry, or key the view by something shorter, such as a "
                "hash, and rebuild it"
            )
        return InvalidDataError(f"{_place(entry)} cannot be placed in {self.view}: {why}")

    def _elsewhere(self, entry: Entry, key: Key) -> InvalidDataError:
        said = key[self._subject or 0]
        return InvalidDataError(
            f"{_place(entry)} has the subject {entry.envelope.subject!r}, but its data says {said!r}: "
            "order is kept per subject, so append it with the subject its class declares"
        )

    def _unknown(self, entry: Entry) -> UnknownTypeError:
        why = self._unknown_text(entry)
        return UnknownTypeError(why, errors=[("/dataversion", why)])

    def _unknown_text(self, entry: Entry) -> str:
        folded = [(fold.declared.type, fold.declared.version) for fold in self.view.folds]
        known = ", ".join(f"{type} version {version}" for type, version in sorted(folded))
        return f"{_place(entry)} is {entry.envelope.type} version {entry.envelope.version}; {self.view} folds {known}"


def same(one: Row, other: Row) -> bool:
    """Say whether two rows are the same to readers and to what is folded onto them."""
    return one.rank == other.rank and (one.is_tombstone or one.values == other.values)


_at = attrgetter("at")
_rank = partial(tuple.__new__, Rank)  # half of what its own constructor costs


def in_rank_order(steps: Sequence[Step]) -> Sequence[Step]:
    """Return the steps in rank order, an event that stands there more than once only once."""
    if len(steps) < 2:
        return steps
    once = {(step.source, step.id): step for step in steps}.values()
    if len({step.at for step in once}) == len(once):
        return sorted(once, key=_at)
    return sorted(once, key=lambda step: (step.at, step.hash, step.source, step.id))


def _rule(view: ViewSpec, fold: FoldSpec) -> _Rule:
    known, members = fold.declared, view.members(fold)
    forms = forms_of_members(known.cls, members, where=str(view))
    rank = reader_of(known.cls, (view.rank,)) if view.rank else None
    return _Rule(
        decode=Decoder(known.cls).decode,
        key=key_of(known.cls, members, [forms[member] for member in members], view.key),
        rank=(lambda event: rank(event)[0]) if rank else None,
        function=fold.function,
    )


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as worse:
        return f"its message cannot be read ({type(worse).__name__})"


def _place(entry: Entry) -> str:
    return f"event {entry.envelope.source!r} {entry.envelope.id!r} at position {entry.position}"
