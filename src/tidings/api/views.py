"""Views out: which there are, their rows by key order, and one row."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from starlette.requests import Request

from tidings.api.answer import Answer, Header, Scope, json_answer
from tidings.api.bounded import Bounded
from tidings.api.headers import choose, is_current
from tidings.api.paths import segment, to_path
from tidings.api.problems import Problem, Refusal
from tidings.api.progress import Progress
from tidings.api.queries import limit, one, read_query
from tidings.api.reading import Reading
from tidings.api.rows import etag, read_key
from tidings.api.waiting import Patience, Waiting
from tidings.app.opened import Opened
from tidings.errors import AuthorError, CallerError, NotFoundError
from tidings.events.media import JSON
from tidings.faces.views import view_object
from tidings.log.driver import Position
from tidings.operations.fitting import PAGE_BYTES, fits, row_size
from tidings.operations.rows import read_cursor, read_value, row_object, write_cursor
from tidings.store.rows import Key, Row, ViewRecord, ViewTable
from tidings.views.declaration import ViewSpec
from tidings.views.live import Live
from tidings.views.names import PAGING
from tidings.wording import absent

T = TypeVar("T")
Read = Coroutine[Any, Any, T]

TOLD_MAX = 1_000
_log = logging.getLogger("tidings.api")


class Views:
    """Reads views for callers."""

    def __init__(self, opened: Opened, reading: Reading, waiting: Waiting) -> None:
        self._views = {(view.service, view.name): view for view in opened.views}
        self._live = {(view.service, view.name): Live(view, opened.log) for view in opened.views if view.mode == "live"}
        self._store = opened.store
        self._reading = reading
        self._waiting = waiting
        self._progress = Progress(opened, reading)
        self._bounded = Bounded(opened)
        self._told: set[tuple[str, Key]] = set()

    async def list(self, request: Request) -> Answer:
        """Answer which views there are, as they are declared."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        return json_answer({"views": [view_object(view.service, view.name, view) for view in self._views.values()]})

    async def rows(self, request: Request) -> Answer:
        """Answer the rows after a cursor, by key, whose columns have the values that the query names."""
        scope, view = request.scope, self._named(request)
        choose(scope, JSON)
        if view.mode == "live":
            hint = f"it is live, folded when a row is read: GET {_row_path(view)}"
            raise NotFoundError("list of the view", f"{view.service}.{view.name}", hint=hint)
        wanted, patience = self._reading.wanted(scope), self._waiting.patience(scope)
        _selection(scope, view.table(1))  # what cannot be asked is refused before anything is waited for
        headers, page = await self._read(view, wanted, patience, lambda record: self._page(scope, record))
        return json_answer(page, *headers)

    async def row(self, request: Request) -> Answer:
        """Answer the row of the key in the path, one segment for each of its columns, with an ETag."""
        scope, view = request.scope, self._named(request)
        read_query(scope, known=())
        choose(scope, JSON)
        segments = [segment(raw) for raw in request.path_params["key"].split("/")]
        read_key(view.columns, view.key, segments)
        wanted, patience = self._reading.wanted(scope), self._waiting.patience(scope)
        headers, found = await self._read(view, wanted, patience, lambda record: self._find(view, record, segments))
        if found is None:
            named = ", ".join(f"{name}={text}" for name, text in zip(view.key, segments, strict=True))
            raise Refusal(Problem.NOT_FOUND, absent("row", named, of=f"{view.service}.{view.name}"), *headers)
        tag, shown = found
        headers = ((b"etag", tag.encode()), *headers)
        return Answer(304, headers) if is_current(scope, tag) else json_answer({"row": shown}, *headers)

    async def _read(
        self, view: ViewSpec, wanted: Position | None, patience: Patience, read: Callable[[ViewRecord | None], Read[T]]
    ) -> tuple[tuple[Header, ...], T]:
        """Return what `read` finds in the view's table, once that is as new as is wanted, and headers that say how new.

        A rebuild may remove the table after it was looked up: then the one that took its place is read.
        """
        while True:
            reflected = await self._progress.reach(view, wanted, patience)
            headers = (*await self._progress.incomplete(reflected, wanted), *self._said(reflected.position, patience))
            headers = (*headers, *await self._bounded.headers(view))
            try:
                return headers, await read(reflected.record)
            except Exception:
                if not await self._progress.is_replaced(view, reflected):
                    raise

    async def _page(self, scope: Scope, record: ViewRecord | None) -> dict[str, Any]:
        assert record is not None  # a live view has no list
        table = record.table
        equal, after, limit = _selection(scope, table)
        rows, used, is_last = list[Row](), 0, False
        while not is_last and used < PAGE_BYTES and len(rows) < limit:
            most = min(fits(PAGE_BYTES - used, seen=len(rows), used=used), limit - len(rows))
            found = await self._store.select(table, equal=equal, after=after, limit=most)
            rows += found
            used += sum(row_size(row.values) for row in found)
            is_last, after = len(found) < most, _key(table, found[-1]) if found else after
        return {
            "rows": [row_object(table.columns, row) for row in rows],
            "next": None if is_last or after is None else write_cursor(after),
        }

    async def _find(
        self, view: ViewSpec, record: ViewRecord | None, segments: Sequence[str]
    ) -> tuple[str, dict[str, Any]] | None:
        """Return the ETag of the row with this key, and the row; None if there is none."""
        if record is None:
            row = await self._folded(view, read_key(view.columns, view.key, segments))
            return None if row is None else (etag(view.version, row), row_object(view.columns, row))
        table = record.table
        equal = dict(zip(table.key, read_key(table.columns, table.key, segments), strict=True))
        for row in await self._store.select(table, equal=equal, after=None, limit=1):
            return etag(table.version, row), row_object(table.columns, row)
        return None

    def _named(self, request: Request) -> ViewSpec:
        service, name = segment(request.path_params["service"]), segment(request.path_params["view"])
        view = self._views.get((service, name))
        if view is None:
            there = (f"{view.service}.{view.name}" for view in self._views.values())
            raise NotFoundError("view", f"{service}.{name}", there)
        return view

    def _said(self, position: int, patience: Patience) -> tuple[Header, ...]:
        return (self._reading.reflects(position), *patience.headers)

    async def _folded(self, view: ViewSpec, key: Key) -> Row | None:
        try:
            return await self._live[view.service, view.name].row(key)
        except (CallerError, AuthorError) as error:  # it is not this caller who wrote what the fold cannot read
            self._tell_once(view, key, error)
        raise Refusal(
            Problem.INTERNAL,
            f"the fold of {view} fails on the history of this row, and will until who wrote the application mends it; "
            "the server's log has the reason",
        )

    def _tell_once(self, view: ViewSpec, key: Key, error: Exception) -> None:
        """Log it at the first of the reads that it fails."""
        if (str(view), key) in self._told:
            return
        if len(self._told) >= TOLD_MAX:
            self._told.clear()
        self._told.add((str(view), key))
        _log.error("%s cannot be folded for %r", view, key, exc_info=error)


def _selection(scope: Scope, table: ViewTable) -> tuple[Mapping[str, Any], Key | None, int]:
    """Return which rows a query asks for: equal values by column, after which key, how many."""
    filters = {column.name: column for column in table.columns}
    query = read_query(scope, known={*PAGING, *filters})
    given = {name: one(query, name) for name in query if name in filters}
    equal = {name: read_value(filters[name], text) for name, text in given.items() if text is not None}
    cursor = one(query, "after")
    after = None if cursor is None else read_cursor(cursor, table.columns, table.key)
    return equal, after, limit(query)


def _key(table: ViewTable, row: Row) -> Key:
    names = [column.name for column in table.columns]
    return tuple(row.values[names.index(name)] for name in table.key)


def _row_path(view: ViewSpec) -> str:
    return to_path("views", view.service, view.name) + "".join(f"/{{{name}}}" for name in view.key)
