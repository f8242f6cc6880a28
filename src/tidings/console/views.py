"""Views: which there are, their rows by key, and whether they are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.responses import JSONResponse, Response

from tidings.console.texts import LINE_CHARACTERS
from tidings.console.verifying import Verifications
from tidings.console.visit import Visit
from tidings.errors import NotFoundError
from tidings.events.codec import encode_json
from tidings.faces.visible import visible
from tidings.operations import views as operation
from tidings.operations.rows import read_cursor, read_value, row_object, write_cursor
from tidings.store.rows import Column, Row, ViewRecord
from tidings.views.declaration import ViewSpec

ROWS = 50
FIGURES = ("integer", "real", "decimal")
"""The kinds of columns whose values are compared digit by digit, and so stand to the right."""


async def every(visit: Visit) -> Response:
    visit.query(())
    opened = visit.opened
    found = await operation.listed(opened.store, opened.views)
    unfolded = {_name(view) for view in opened.views if not view.folds}
    return await visit.show("views.html", views=found, unfolded=unfolded)


async def rows(verifications: Verifications, visit: Visit) -> Response:
    """Show rows by key. A view that another release declares is shown as its table stands."""
    named = await _named(visit)
    query = visit.query([*map(_field, named.columns), "after"])
    asked = {column.name: query[_field(column)] for column in named.columns if _field(column) in query}
    found = await _found(visit, named, asked, query.get("after"))
    filters = {f"where-{name}": text for name, text in asked.items()}
    after = None if found is None or found.after is None else write_cursor(found.after)
    return await visit.show(
        "view.html",
        view=named,
        figures=FIGURES,
        fields={column.name: _field(column) for column in named.columns},
        asked=asked,
        rows=None if found is None else [_cells(found.columns, row) for row in found.rows],
        is_first="after" not in query,
        first=visit.link(f"/views/{named.name}", **filters),
        next=None if after is None else visit.link(f"/views/{named.name}", **filters, after=after),
        verification=verifications.of(named.name),
    )


async def verify(verifications: Verifications, visit: Visit) -> Response:
    await visit.form()
    name = visit.segment("name")
    verifications.begin(operation.declared_view(visit.opened.views, name))
    return visit.done(f"The verification of {name} was begun.", f"/views/{name}")


async def progress(verifications: Verifications, visit: Visit) -> Response:
    """Answer how far a verification is, for the page to show without being loaded again."""
    found = verifications.of(visit.segment("name"))
    if found is None:
        raise NotFoundError("verification", visit.segment("name"), hint="none was begun since the server was started")
    return JSONResponse({"done": found.done, "total": found.total, "ended": found.ended})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """A view by its name: its current table, and how the application at hand declares it; either may be missing."""

    name: str
    record: ViewRecord | None
    spec: ViewSpec | None
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def kept(self) -> str:
        """How its rows come to be: its mode, or by handlers if it has no folds."""
        return self.mode if self.spec is None or self.spec.folds else "handlers"

    @property
    def mode(self) -> str:
        return self.record.mode if self.record is not None else self.spec.mode if self.spec is not None else ""

    @property
    def is_verifiable(self) -> bool:
        return self.record is not None and self.spec is not None and bool(self.spec.folds)


async def _named(visit: Visit) -> _Named:
    name, declared = visit.segment("name"), visit.opened.views
    record = await operation.current_record(visit.opened.store, name)
    if record is None:
        spec = operation.declared_view(declared, name)
        return _Named(name=name, record=None, spec=spec, columns=tuple(spec.columns), key=tuple(spec.key))
    own = next((view for view in declared if _name(view) == name), None)
    return _Named(name=name, record=record, spec=own, columns=record.table.columns, key=record.table.key)


async def _found(visit: Visit, view: _Named, asked: Mapping[str, str], after: str | None) -> operation.Shown | None:
    """Return the rows that are asked for; None for a live view whose key is not given, and where there is no table."""
    opened = visit.opened
    equal = {column.name: read_value(column, asked[column.name]) for column in view.columns if column.name in asked}
    if view.record is not None:
        begin = None if after is None else read_cursor(after, view.columns, view.key)
        return await operation.show(opened.store, view.record, equal=equal, limit=ROWS, after=begin)
    if view.spec is None or view.mode != "live" or set(asked) != set(view.key):
        return None
    return await operation.show_live(opened.log, view.spec, equal=equal)


def _name(view: ViewSpec) -> str:
    return f"{view.service}.{view.name}"


def _field(column: Column) -> str:
    """Return the name of a column's filter: apart from the page's own parameters, whatever the column is called."""
    return f"where-{column.name}"


def _cells(columns: Sequence[Column], row: Row) -> list[str | None]:
    return [_text(value) for value in row_object(columns, row).values()]


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        value = bytes(value) if isinstance(value, msgspec.Raw) else encode_json(value)
        value = value.decode("utf-8", "replace")
    shown = visible(value)
    return shown if len(shown) <= LINE_CHARACTERS else f"{shown[:LINE_CHARACTERS]}…"
