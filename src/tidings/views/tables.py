"""Which table a view is read from, and what must be done before it can be. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tidings.errors import ShapeChangedError
from tidings.store.rows import ViewRecord
from tidings.views.declaration import ViewSpec


@dataclass(frozen=True, slots=True)
class Standing:
    """What a store has of a view: its tables, newest last, and the next step.

    `step` "use": the current table is the view's; "create": there is none; "rebuild": the current one, which can be
    read meanwhile, is of an older version or was kept in another mode.
    """

    records: tuple[ViewRecord, ...]
    step: Literal["use", "create", "rebuild"]

    @property
    def current(self) -> ViewRecord | None:
        return next((record for record in self.records if record.state == "current"), None)

    @property
    def next_version(self) -> int:
        """The number of the next table; none is used twice."""
        return 1 + max((record.table.version for record in self.records), default=0)


def standing(view: ViewSpec, records: Iterable[ViewRecord]) -> Standing:
    """Judge the tables that a store has, of all views, for this one.

    ShapeChangedError if the view changed and its version did not, or if a newer release has changed it.
    """
    own = (record for record in records if (record.table.service, record.table.view) == (view.service, view.name))
    found = tuple(sorted(own, key=lambda record: record.table.version))
    current = Standing(found, "use").current
    if current is None:
        return Standing(found, "create")
    if current.declared > view.version:
        raise ShapeChangedError(
            f"{view} is version {view.version} here, but a newer release made its current table, of version "
            f"{current.declared}: run that release, or declare version {current.declared + 1}"
        )
    if current.shape != view.shape and not view.folds:
        raise ShapeChangedError(
            f"{view} has changed its columns or key, and no fold can build it anew, since handlers write it, or runs "
            "of a scope: keep the old shape, or declare a view of another name, which a replay of the service fills or "
            "the scope's next run"
        )
    if current.shape != view.shape and current.declared == view.version:
        raise ShapeChangedError(
            f"{view} has changed its columns, key, rank or events, but not its version: declare "
            f"version={view.version + 1}, and it is built anew beside the current one"
        )
    return Standing(found, "use" if (current.shape, current.mode) == (view.shape, view.mode) else "rebuild")
