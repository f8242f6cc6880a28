"""The log: its entries, newest first, those that match, and those that come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from datetime import timedelta
from typing import Any

from starlette.responses import Response, StreamingResponse

from tidings.app.opened import Opened
from tidings.console.entries import BLANK, cells
from tidings.console.visit import Visit
from tidings.errors import MalformedError, OperatorError
from tidings.events.codec import encode_json
from tidings.events.envelope import Entry
from tidings.events.filter import Filter
from tidings.log.driver import Position
from tidings.operations import inspect

ROWS = 50
PAGE = 100
SILENCE = timedelta(seconds=15)
LIFE_SECONDS = 60.0
RETRY_MS = 1_000
_FILTERS = ("type", "source", "subject")
_LAST = 2**63 - 1


async def show(visit: Visit) -> Response:
    query = visit.query((*_FILTERS, "before"))
    where, opened = _filter(query), visit.opened
    before = _position(query, "before")
    if before is None:
        entries, upto = await inspect.tail(opened.log, where=where, limit=ROWS)
    else:
        entries, upto = await inspect.before(opened.log, before, where=where, limit=ROWS), None
    asked = {name: query.get(name, "") for name in _FILTERS}
    return await visit.show(
        "log.html",
        asked=asked,
        is_filtered=any(asked.values()),
        is_first=before is None,
        rows=[cells(visit, entry) for entry in reversed(entries)],
        blank=BLANK,
        older=visit.link("/log", **asked, before=entries[0].position) if len(entries) == ROWS else None,
        newest=visit.link("/log", **asked),
        tail=visit.link("/log/tail", **asked, after=upto) if upto is not None else None,
        types=sorted({name for name, _ in opened.catalog.types()}),
    )


async def tail(visit: Visit) -> Response:
    """Send the entries that come, as server-sent events; whoever is cut off asks again from the last one it has."""
    query = visit.query((*_FILTERS, "after"))
    last = visit.request.headers.get("last-event-id")
    after = _position(query if last is None else {"after": last}, "after")
    if after is None:
        after = (await visit.opened.log.head()).position
    await visit.opened.log.read(after=after, limit=1)  # what cannot be followed is refused while it still can be
    return StreamingResponse(_coming(visit, _filter(query), after), media_type="text/event-stream")


async def _coming(visit: Visit, where: Filter, after: Position) -> AsyncIterator[bytes]:
    opened = visit.opened
    end = opened.ports.clock.monotonic() + LIFE_SECONDS
    yield b"retry: %d\nid: %d\n\n" % (RETRY_MS, after)
    try:
        while not opened.stopping.is_set() and opened.ports.clock.monotonic() < end:
            page = await opened.log.read(after=after, limit=PAGE, where=where)
            if page.entries:
                yield b"".join(_piece(visit, entry) for entry in page.entries)
            after = page.upto
            if not page.entries:
                await _wait(opened, after)
                yield b":\n\n"
    except OperatorError:
        return  # the browser asks again, and is told then


async def _wait(opened: Opened, after: Position) -> None:
    """Come back when something may have come, after a silence, or when the server stops."""
    waits: tuple[Coroutine[Any, Any, Any], ...] = (
        opened.log.wait(after=after, timeout=SILENCE),
        opened.stopping.wait(),
    )
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _piece(visit: Visit, entry: Entry) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (entry.position, encode_json(cells(visit, entry)))


def _filter(query: Mapping[str, str]) -> Filter:
    type = query.get("type")
    return Filter(
        types=None if type is None else frozenset((type,)), source=query.get("source"), subject=query.get("subject")
    )


def _position(query: Mapping[str, str], name: str) -> Position | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > _LAST:
        raise MalformedError(f"{name}: {text[:40]!r} is no position")
    return int(text)
