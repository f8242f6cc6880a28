"""Views as an operator sees them: their tables, their rows, and building them anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from tidings.errors import NotFoundError, RefusedError
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.operations.dead import written
from tidings.operations.progress import NOBODY, Watch
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver
from tidings.store.parking import Parked
from tidings.store.rows import Column, Key, Row, ViewRecord
from tidings.views.declaration import ViewSpec, consumer_name
from tidings.views.live import Live
from tidings.views.rebuild import Progress as RebuildProgress
from tidings.wording import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A view, or one of its tables.

    `table`: None for a live view, and for one whose table is not made yet. `position`: where the table's consumer
    stands; None where there is none. `declared` as in `tidings.operations.roster.Reader`.
    """

    service: str
    view: str
    mode: Literal["async", "inline", "live"]
    state: Literal["current", "building", "replaced", "missing", "read"]
    version: int
    table: str | None
    position: Position | None
    declared: bool | None
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    types: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.service}.{self.view}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Rows of a view, and their columns. `after`: the key of the last one, if more may follow."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    after: Key | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A view, and the table that is read from now on. `parked`: subjects that it lacks for now."""

    view: str
    table: str
    parked: int


class Builder(Protocol):
    """What builds a view's next table beside the current one and swaps them."""

    async def rebuild(
        self, view: ViewSpec, *, progress: RebuildProgress, who: str, accepts_parked: bool
    ) -> ViewRecord: ...


async def listed(store: StoreDriver, views: Sequence[ViewSpec] | None) -> tuple[Listed, ...]:
    """Return all views, by name. `views`: those of the application at hand, None if there is none."""
    declared = {(view.service, view.name): view for view in views or ()}
    found = [await _listed(store, record, None if views is None else declared) for record in await store.views()]
    there = {(each.service, each.view) for each in found}
    found += [_without_table(view) for name, view in declared.items() if name not in there]
    return tuple(sorted(found, key=lambda each: (each.service, each.view, each.table or "")))


async def _listed(
    store: StoreDriver, record: ViewRecord, declared: Mapping[tuple[str, str], ViewSpec] | None
) -> Listed:
    checkpoints = await store.checkpoints(consumer_name(record.table))
    table = record.table
    return Listed(
        service=table.service,
        view=table.view,
        mode=record.mode,
        state=record.state,
        version=record.declared,
        table=table.name,
        position=min((each.position for each in checkpoints.values()), default=None),
        declared=None if declared is None else (table.service, table.view) in declared,
        key=table.key,
        columns=table.columns,
        types=frozenset(record.types),
    )


def _without_table(view: ViewSpec) -> Listed:
    return Listed(
        service=view.service,
        view=view.name,
        mode=view.mode,
        state="read" if view.mode == "live" else "missing",
        version=view.version,
        table=None,
        position=None,
        declared=True,
        key=view.key,
        columns=view.columns,
        types=view.types,
    )


async def current_record(store: StoreDriver, name: str) -> ViewRecord | None:
    """Return the current table of the view `service.view`; None if there is none."""
    for record in await store.views():
        if record.state == "current" and f"{record.table.service}.{record.table.view}" == name:
            return record
    return None


def declared_view(views: Sequence[ViewSpec], name: str, others: Sequence[Listed] = ()) -> ViewSpec:
    """Return the view `service.view`; NotFoundError, with those there are and `others`, if there is none."""
    there = {f"{view.service}.{view.name}": view for view in views}
    if name in there:
        return there[name]
    raise NotFoundError("view", name, {*there, *(other.name for other in others)})


async def show(
    store: StoreDriver, record: ViewRecord, *, equal: Mapping[str, Any], limit: int, after: Key | None = None
) -> Shown:
    """Return the rows of a table, by key and after this key, whose columns have these stored values."""
    rows = tuple(await store.select(record.table, equal=equal, after=after, limit=limit))
    names = [column.name for column in record.table.columns]
    places = [names.index(name) for name in record.table.key]
    more = len(rows) == limit
    last = tuple(rows[-1].values[place] for place in places) if more and rows else None
    return Shown(columns=record.table.columns, rows=rows, after=last)


async def show_live(log: Log, view: ViewSpec, *, equal: Mapping[str, Any]) -> Shown:
    """Return the row of a live view, whose whole key must be given. RefusedError if it is not."""
    if set(equal) != set(view.key):
        wanted = " ".join(f"{name}=…" for name in view.key)
        raise RefusedError(f"{view} is folded when it is read, so it has no list: give its key, {wanted}")
    row = await Live(view, log).row([equal[name] for name in view.key])
    return Shown(columns=view.columns, rows=() if row is None else (row,), after=None)


async def rebuild(
    builder: Builder,
    store: StoreDriver,
    view: ViewSpec,
    *,
    who: str,
    accepts_parked: bool = False,
    watch: Watch = NOBODY,
) -> Rebuilt:
    """Build the view's next table beside the current one, and swap. That it was begun is kept in the audit.

    `accepts_parked`: whether the new table may be read although subjects are parked for it; without that it is waited
    while they are retried, and `watch` is told once of each that is the first of them. RefusedError if it has no folds
    or no table, or if subjects are dead for the new table.
    """
    name, last = f"{view.service}.{view.name}", ""

    def reached(*, at: Position, head: Position, waiting: Sequence[Parked] = ()) -> None:
        nonlocal last
        watch.progress(f"rebuilding {name}" + (", which waits" if waiting else ""), at, head)
        if waiting and waiting[0].subject != last:
            last = waiting[0].subject
            watch.tell(_waiting_told(name, waiting))

    reason = "parked subjects are accepted" if accepts_parked else ""
    async with store.changing(Change(who=who, what="rebuild", on=name, reason=reason)):
        pass  # many transactions follow, and who began them is to be known even if the last one never comes
    record = await builder.rebuild(view, progress=reached, who=who, accepts_parked=accepts_parked)
    parked = await store.parked(consumer_name(record.table))
    return Rebuilt(view=name, table=record.table.name, parked=len(parked))


def _waiting_told(view: str, waiting: Sequence[Parked]) -> str:
    first = waiting[0]
    return (
        f"{view} waits until {counted(len(waiting), 'subject')} parked for {first.consumer} "
        f"{'is' if len(waiting) == 1 else 'are'} handled, first {written(first.subject)!r} at position "
        f"{first.first_position:,}, which is tried again: {first.reason} ({first.error:.300})"
    )
