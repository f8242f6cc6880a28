"""The newest entries, shared by all readers of a process, so that ten consumers at the head cost one query.

An answer is as fresh as the driver's own: every read that the kept entries do not fill waits for a look at the log
which began after it. Readers that come in one turn of the event loop share that look.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from contextvars import Context
from itertools import islice
from operator import attrgetter

from tidings.events.envelope import Entry, Envelope
from tidings.events.filter import EVERYTHING, Filter
from tidings.events.identity import slot_of
from tidings.log.driver import LogDriver, Page, Position

ENTRIES = 8_192
BYTES = 32 * 1024 * 1024
LOOK = 1_000
FILTERED = 1_000
"""Entries that a filter is asked of at most: all at once, with nobody else served, where a database has an index."""
_OVERHEAD = 1_024  # an entry's own objects: strings, attributes, numbers

_position = attrgetter("position")


class Tip:
    """Reads through a driver. Once a reader came to the head, it keeps every entry above `start`, up to `upto`."""

    def __init__(self, driver: LogDriver) -> None:
        self._driver = driver
        self._entries: list[Entry] = []
        self._size = 0
        self._start: Position | None = None
        self._upto: Position = 0
        self._looking = asyncio.Lock()
        self._next_look: asyncio.Task[bool] | None = None
        self._looks: set[asyncio.Task[bool]] = set()

    async def read(self, *, after: Position, limit: int, where: Filter = EVERYTHING) -> Page:
        """See `LogDriver.read`. What a unit reads is its own: it may see its own writes, and nobody else may."""
        if self._driver.inside_unit:
            return await self._driver.read(after=after, limit=limit, where=where)
        if self._start is None or after < self._start or (where != EVERYTHING and self._count(after) > FILTERED):
            return await self._read_apart(after, limit, where)
        page = self._kept(after, limit, where)
        if len(page.entries) == limit:
            return page
        at_head = await asyncio.shield(self._fresh_look())
        if self._covers(after):
            page = self._kept(after, limit, where)
            if at_head or len(page.entries) == limit:
                return page
        if not at_head:
            self._begin(None)  # it has fallen behind the head, and would be read for this reader's sake only
        return await self._read_apart(after, limit, where)

    async def close(self) -> None:
        """Wait for the looks that are on their way."""
        while self._looks:
            await asyncio.wait(self._looks)

    def _covers(self, after: Position) -> bool:
        return self._start is not None and self._start <= after <= self._upto

    def _count(self, after: Position) -> int:
        return len(self._entries) - bisect_right(self._entries, after, key=_position)

    def _kept(self, after: Position, limit: int, where: Filter) -> Page:
        first = bisect_right(self._entries, after, key=_position)
        if where == EVERYTHING:
            found = self._entries[first : first + limit]
        else:
            matching = (entry for entry in islice(self._entries, first, None) if _matches(where, entry.envelope))
            found = list(islice(matching, limit))
        return Page(tuple(found), found[-1].position if len(found) == limit else self._upto)

    async def _read_apart(self, after: Position, limit: int, where: Filter) -> Page:
        page = await self._driver.read(after=after, limit=limit, where=where)
        if len(page.entries) < limit and (self._start is None or self._upto < after):
            self._begin(page.upto)
        return page

    def _fresh_look(self) -> asyncio.Task[bool]:
        """Return a look that has not begun. It runs outside of the caller's context, which may carry a trace."""
        if self._next_look is None:
            look = asyncio.get_running_loop().create_task(self._look(), context=Context())
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
            self._next_look = look
        return self._next_look

    async def _look(self) -> bool:
        """Keep what was appended since; return whether that is all there is."""
        async with self._looking:
            self._next_look = None  # who asks from here on may know of entries that this look misses
            after = self._upto
            if self._start is None:
                return False
            try:
                page = await self._driver.read(after=after, limit=LOOK)
            except Exception:
                self._begin(None)
                return False  # each reader asks the driver itself, and gets the error that concerns it
            if self._start is not None and self._upto == after:
                self._extend(page)
            return len(page.entries) < LOOK

    def _begin(self, upto: Position | None) -> None:
        self._entries.clear()
        self._size = 0
        self._start = upto
        self._upto = upto or 0

    def _extend(self, page: Page) -> None:
        self._entries += page.entries
        self._size += sum(map(_size, page.entries))
        self._upto = page.upto
        surplus = max(0, len(self._entries) - ENTRIES)
        size = self._size - sum(map(_size, self._entries[:surplus]))
        while size > BYTES:
            size -= _size(self._entries[surplus])
            surplus += 1
        if surplus:
            self._start = self._entries[surplus - 1].position
            del self._entries[:surplus]
        self._size = size


def _matches(where: Filter, envelope: Envelope) -> bool:
    slot = 0
    if where.slots is not None:
        slot = slot_of(envelope.source, envelope.id, envelope.subject)
    return where.matches(envelope, slot)


def _size(entry: Entry) -> int:
    return _OVERHEAD + len(entry.envelope.data or b"")
