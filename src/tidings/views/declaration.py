"""What a view is: its row class, its key, how it is kept, and the folds that make it.

Checked whole when it is made, so that a wrong declaration stops the program at its start, never an event later.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tidings.errors import DeclarationError
from tidings.events.codec import encode_json
from tidings.events.declaration import Declared, declared, members_of, value_class
from tidings.store.rows import Column, ViewRecord, ViewTable
from tidings.versions.known import Versions
from tidings.versions.step import Reader
from tidings.views.columns import Form, forms_of, forms_of_members
from tidings.views.names import check_column_names, check_service_name, check_view_name, view_name

Mode = Literal["async", "inline", "live"]
Fold = Callable[[Any, Any], Any]
"""(row or None, event) -> row or None. Pure: what it returns follows from what it is given, and from nothing else."""

_KEY_KINDS = frozenset({"text", "integer", "boolean", "blob", "time"})
_RANK_KINDS = frozenset({"integer", "time"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldSpec:
    """A fold of one event class.

    `key`: the event's members that make the key of its row, in the order of the view's; None: those of the same names.
    """

    event: type
    function: Fold
    key: tuple[str, ...] | None = None

    @property
    def declared(self) -> Declared:
        return declared(self.event)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSpec:
    """One view of a service. DeclarationError if any part of it is wrong, or does not fit the others.

    `row`: the class of its rows; its members are the columns. `rank`: the member of each event that orders them, an int
    or a datetime; None: their time. `version`: raised by the author whenever the folds change their meaning.
    Without folds its rows are written by the service's handlers.

    A row's history lies *within one subject* if one key column holds the subject of every event that is folded into
    it. Otherwise the view *spans* subjects: which entries make up a row is then noted beside it, entry by entry.
    """

    service: str
    row: type
    key: tuple[str, ...]
    mode: Mode = "async"
    version: int = 1
    rank: str | None = None
    folds: tuple[FoldSpec, ...] = ()
    name: str = ""
    columns: tuple[Column, ...] = field(init=False)
    subject: int | None = field(init=False)
    """The place in the key of the subject; None: the view spans subjects, or has no folds."""
    shape: str = field(init=False)
    """A fingerprint of what a table of this view holds; if it changes, the version must."""
    reader: Reader | None = field(default=None, compare=False, repr=False)
    """What leads from other versions of its events to those that it folds; None: it reads these alone."""

    def __post_init__(self) -> None:
        def fill(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        fill("row", value_class(self.row))
        fill("key", tuple(self.key))
        fill("name", self.name or view_name(self.row))
        check_service_name(self.service)
        check_view_name(self.service, self.name)
        _check_version(self)
        forms = forms_of(self.row)
        fill("columns", tuple(Column(name, form.kind, form.nullable) for name, form in forms.items()))
        check_column_names(str(self), [column.name for column in self.columns])
        _check_key(self, forms)
        for fold in self.folds:
            _check_fold(self, fold, forms)
        _check_once(self)
        fill("subject", _subject_place(self))
        fill("shape", _shape(self))
        _check_mode(self)

    def reading(self, versions: Versions) -> ViewSpec:
        """Return the view as it reads every version that leads to one that it folds."""
        return replace(self, reader=versions.reader(fold.declared for fold in self.folds))

    @property
    def types(self) -> frozenset[str]:
        """The event types that are folded."""
        return frozenset(fold.declared.type for fold in self.folds)

    @property
    def spans(self) -> bool:
        """Whether a row may hold events of several subjects."""
        return bool(self.folds) and self.subject is None

    def members(self, fold: FoldSpec) -> tuple[str, ...]:
        """Return the event's members that make the key of its row."""
        return self.key if fold.key is None else tuple(fold.key)

    def table(self, version: int) -> ViewTable:
        """Return the physical table of this version, counted from 1: each rebuild makes the next."""
        return ViewTable(
            service=self.service, view=self.name, version=version, columns=self.columns, key=self.key, spans=self.spans
        )

    def record(self, version: int, state: Literal["current", "building"]) -> ViewRecord:
        """Return the note of this version's table, as a store keeps it."""
        if self.mode == "live":
            raise DeclarationError(f"{self} is folded when it is read; it has no table")
        return ViewRecord(
            table=self.table(version),
            state=state,
            shape=self.shape,
            mode=self.mode,
            declared=self.version,
            types=tuple(sorted(self.types)),
        )

    def __str__(self) -> str:
        return f"the view {self.service}.{self.name}"


def consumer_name(table: ViewTable) -> str:
    """Return the name of the consumer that folds this table, under which its subjects are parked."""
    return table.consumer


def _shape(view: ViewSpec) -> str:
    parts = [
        [(column.name, column.kind, column.nullable) for column in view.columns],
        view.key,
        view.rank,
        view.version,
        view.spans,
        sorted({(fold.declared.type, *view.members(fold)) for fold in view.folds}),
    ]
    return hashlib.sha256(encode_json(parts)).hexdigest()[:32]


def _check_version(view: ViewSpec) -> None:
    if isinstance(view.version, bool) or not isinstance(view.version, int) or view.version < 1:
        raise DeclarationError(f"{view}: version must be a whole number from 1, not {view.version!r}")


def _check_key(view: ViewSpec, forms: Mapping[str, Form]) -> None:
    if not view.key or len(set(view.key)) != len(view.key):
        first = next(iter(forms), "user_id")
        raise DeclarationError(f"{view} needs a key of one or more different members, such as key=({first!r},)")
    for name in view.key:
        form = forms.get(name)
        if form is None:
            raise DeclarationError(f"{view}: the key's {name!r} is no member; there is {', '.join(forms)}")
        if form.nullable or form.kind not in _KEY_KINDS:
            raise DeclarationError(
                f"{view}: {name!r} cannot be part of the key: a key's member is a str, int, bool, bytes or datetime, "
                "and never None"
            )


def _check_fold(view: ViewSpec, fold: FoldSpec, forms: Mapping[str, Form]) -> None:
    known = fold.declared
    where = f"the fold of {known.type} into {view.service}.{view.name}"
    if not callable(fold.function) or inspect.iscoroutinefunction(fold.function):
        raise DeclarationError(f"{where} must be a plain function (row or None, event) -> row or None, not async")
    if view.rank and view.rank not in members_of(known.cls):
        raise DeclarationError(
            f"{where}: {known.cls.__qualname__} has no member {view.rank!r} to order by, which rank={view.rank!r} asks "
            f"for; there is {', '.join(members_of(known.cls))}"
        )
    hints = forms_of_members(known.cls, (*view.members(fold), *([view.rank] if view.rank else [])), where=where)
    if len(view.members(fold)) != len(view.key):
        raise DeclarationError(f"{where}: key={fold.key!r} must name one member for each of {view.key!r}")
    for column, member in zip(view.key, view.members(fold), strict=True):
        found = hints[member]
        if found.kind != forms[column].kind or found.nullable:
            raise DeclarationError(
                f"{where}: {known.cls.__qualname__}.{member} must have the type of {column!r}, and never be None"
            )
    if view.rank and (hints[view.rank].kind not in _RANK_KINDS or hints[view.rank].nullable):
        raise DeclarationError(f"{where}: the rank {view.rank!r} must be an int or a datetime, and never None")


def _check_once(view: ViewSpec) -> None:
    seen: set[tuple[str, int]] = set()
    for fold in view.folds:
        known = fold.declared
        if (known.type, known.version) in seen:
            raise DeclarationError(f"{view} folds {known.type} version {known.version} twice; make it one fold")
        seen.add((known.type, known.version))


def _subject_place(view: ViewSpec) -> int | None:
    """Return the key column that holds the subject of every folded event, None if there is none."""
    for place in range(len(view.key)):
        if view.folds and all(view.members(fold)[place] == fold.declared.subject for fold in view.folds):
            return place
    return None


def _check_mode(view: ViewSpec) -> None:
    if view.mode not in ("async", "inline", "live"):
        raise DeclarationError(f'{view}: mode must be "async", "inline" or "live", not {view.mode!r}')
    if view.rank and not view.folds and _kind(view, view.rank) not in _RANK_KINDS:
        raise DeclarationError(
            f"{view}: the rank {view.rank!r} must be a member of the row that is an int or a datetime"
        )
    if view.mode != "async" and not view.folds:
        raise DeclarationError(f"{view} is {view.mode}, so it needs a fold; a view that handlers write is async")
    if view.mode == "live" and view.spans:
        subjects = {fold.declared.type: fold.declared.subject for fold in view.folds}
        raise DeclarationError(
            f"{view} cannot be live: it is folded from the history of one subject, so one member of its key "
            f'{view.key!r} must be the subject of every event ({subjects!r}); use mode="async"'
        )


def _kind(view: ViewSpec, member: str) -> str | None:
    return next((column.kind for column in view.columns if column.name == member and not column.nullable), None)
