"""What a view is: its row class, its key, how it is kept, and the folds that make it.

Checked whole when it is made, so that a wrong declaration stops the program at its start, never an event later.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tidings.errors import DeclarationError
from tidings.events.codec import encode_json
from tidings.events.declaration import Declared, declared, hints_of, members_of, value_class
from tidings.store.rows import Column, ViewRecord, ViewTable
from tidings.views.columns import Form, form_of

Mode = Literal["async", "inline", "live"]
Fold = Callable[[Any, Any], Any]
"""(row or None, event) -> row or None. Pure: what it returns follows from what it is given, and from nothing else."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")  # 63 characters are PostgreSQL's own limit
_TAKEN = frozenset({"tidings", "sqlite"})
PAGING = frozenset({"after", "limit"})
"""What a query by HTTP says of a page, so that no column can be asked for by these names."""
_SYSTEM = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})  # every table of PostgreSQL has these
_COLUMNS = 1_000  # SQLite has 2,000 and PostgreSQL 1,600, with those that are ours
_NAMES_MAX = 48  # with the version behind it, within PostgreSQL's 63 bytes
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

    def __post_init__(self) -> None:
        def fill(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        fill("row", value_class(self.row))
        fill("key", tuple(self.key))
        fill("name", self.name or view_name(self.row))
        _check_names(self)
        forms = forms_of(self.row)
        fill("columns", tuple(Column(name, form.kind, form.nullable) for name, form in forms.items()))
        _check_columns(self)
        _check_key(self, forms)
        for fold in self.folds:
            _check_fold(self, fold, forms)
        _check_once(self)
        fill("subject", _subject_place(self))
        fill("shape", _shape(self))
        _check_mode(self)

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

    def record(self, version: int, state: Literal["live", "building"]) -> ViewRecord:
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


def view_name(row: type) -> str:
    """Return the view's name, which follows from its class: `TweetStat` is `tweet_stat`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", row.__name__).lower()


def consumer_name(table: ViewTable) -> str:
    """Return the name of the consumer that folds this table, under which its subjects are parked."""
    return table.consumer


def check_service_name(name: str) -> None:
    """Raise DeclarationError unless tables can begin with this name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.split("_")[0] in _TAKEN:
        raise DeclarationError(
            f"{name!r:.100} is no name for a service: its tables begin with it, so use lower case letters and digits, "
            "joined by single '_', beginning with a letter, but not with 'tidings' or 'sqlite', which are taken"
        )


def forms_of(row: type) -> Mapping[str, Form]:
    """Return how each member of the class is stored, by name, in their order."""
    forms = {}
    try:
        hints = hints_of(row)
    except NameError as error:
        raise DeclarationError(f"{row.__qualname__}: {error}; import it in the module of the class") from error
    for name, hint in hints.items():
        try:
            forms[name] = form_of(hint)
        except DeclarationError as error:
            raise DeclarationError(f"{row.__qualname__}.{name}: {error}") from error
    return forms


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


def _check_names(view: ViewSpec) -> None:
    check_service_name(view.service)
    if not _NAME.fullmatch(view.name):
        raise DeclarationError(f"{view.name!r} is no name for a view: name the class {_CLASS_FORM}")
    if len(view.service) + len(view.name) > _NAMES_MAX:
        raise DeclarationError(f"{view}: the two names have more than {_NAMES_MAX} characters together; shorten one")
    if isinstance(view.version, bool) or not isinstance(view.version, int) or view.version < 1:
        raise DeclarationError(f"{view}: version must be a whole number from 1, not {view.version!r}")


_CLASS_FORM = "with letters and digits, as in `class TweetStat`"


def _check_columns(view: ViewSpec) -> None:
    names = [column.name for column in view.columns]
    if len(names) > _COLUMNS:
        raise DeclarationError(
            f"{view} has {len(names):,} members, but a table takes {_COLUMNS:,}: keep some of them in one member, "
            "such as a dict"
        )
    times = Counter(name.lower() for name in names)
    for name in names:
        if name.lower() in _SYSTEM | PAGING:
            raise DeclarationError(f"{view}: {name!r} cannot name a column, {_why_taken(name.lower())}: rename it")
        if not _COLUMN.fullmatch(name) or times[name.lower()] > 1:
            raise DeclarationError(
                f"{view}: {name!r} cannot name a column: use ASCII letters, digits and '_', beginning with a letter, "
                "at most 63, and no two names that differ only in case"
            )


def _why_taken(name: str) -> str:
    if name in PAGING:
        return f"since `GET /views/…?{name}=` asks for a page"
    return "since every table of PostgreSQL has a column of that name"


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


def forms_of_members(event: type, members: tuple[str, ...], *, where: str) -> Mapping[str, Form]:
    """Return the forms of these members of an event class; DeclarationError, naming the place, if one is not there."""
    try:
        hints = hints_of(event)
    except NameError as error:
        raise DeclarationError(f"{where}: {error}; import it in the module of {event.__qualname__}") from error
    for member in members:
        if member not in hints:
            raise DeclarationError(
                f"{where}: {event.__qualname__} has no member {member!r}; there is {', '.join(hints)}. "
                'Name the members that make the key: key=("…",)'
            )
    return {member: form_of(hints[member]) for member in members}


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
