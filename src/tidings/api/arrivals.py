"""Waiting for entries of a kind: one reader of what is new in the log, however many wait, and for whatever.

Each entry is shown to those only who may want it, so that thousands who wait for something else cost it nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import timedelta

from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import Page, Position
from tidings.log.log import Log
from tidings.operations.fitting import PAGE_BYTES
from tidings.operations.search import Sought, search
from tidings.ports import Clock

LOOK_AGAIN = timedelta(seconds=10)
ENTRIES = 500
DOZE_LEAST, DOZE_MOST = 0.001, 0.02
"""Seconds of rest after a page that nobody waited for."""


class Awaited:
    """What one reader waits for. `shown_upto`: the position up to which all who wait have been shown what came."""

    def __init__(self, sought: Sought, shown_upto: Callable[[], Position]) -> None:
        self.sought = sought
        self._shown_upto = shown_upto
        self._since: Position | None = None
        self._first: Position | None = None
        self._came: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    async def look(self, log: Log, *, after: Position, limit: int, size: int = PAGE_BYTES) -> Page:
        """Search the log behind a position that its reader has come to, if there may be something: see `search`.

        A thousand who wait for what does not come ask the log nothing, and their position moves on all the same.
        """
        if self._error is not None:  # nothing is shown any more, and another reader may have gone on
            raise self._error
        at = self._without(after)
        if not self._may_find(at):
            return Page((), at)
        self._since, self._first = self._shown_upto(), None  # what comes from here on, it is shown
        return await search(log, self.sought, after=at, limit=limit, size=size)

    async def come(self, at: Position) -> None:
        """Come back when there may be something behind `at`; raise what the log raised if it cannot be read."""
        if not (self._may_find(at) or self._error):
            self._came = asyncio.get_running_loop().create_future()
            await self._came
        if self._error is not None:
            raise self._error

    def show(self, entry: Entry) -> bool:
        """Be shown an entry that may be wanted; say whether it was waited for."""
        if self._first is not None or not self.sought.finds(entry):
            return False
        self._first = entry.position
        self._end_wait()
        return True

    def _may_find(self, at: Position) -> bool:
        """Say so if it was shown something, or its last look ended before the place from which on it is shown all."""
        return self._since is None or at < self._since or self._first is not None

    def _without(self, at: Position) -> Position:
        """Return up to where there is nothing that is sought, from `at` on, where its last look ended."""
        if self._since is None or at < self._since:
            return at
        return max(at, self._shown_upto() if self._first is None else self._first - 1)

    def fail(self, error: Exception) -> None:
        self._error = error
        self._end_wait()

    def _end_wait(self) -> None:
        if self._came is not None and not self._came.done():
            self._came.set_result(None)


class Arrivals:
    """Those who wait for entries of one log."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self._log = log
        self._sleep = clock.sleep
        self._waiting: defaultdict[tuple[str, str], set[Awaited]] = defaultdict(set)
        self._upto: Position = 0
        self._following: asyncio.Task[None] | None = None
        self._begun: asyncio.Future[None] | None = None

    @asynccontextmanager
    async def awaiting(self, sought: Sought) -> AsyncIterator[Awaited]:
        """Have what is sought waited for while the block runs: look at the log, wait till something comes, look again.

        Whatever is appended from now on is either seen by the next look or ends the wait after it.
        """
        awaited, places = Awaited(sought, lambda: self._upto), list(_places(sought))
        for place in places:
            self._waiting[place].add(awaited)
        try:
            await self._follow()
            yield awaited
        finally:
            for place in places:
                self._waiting[place].discard(awaited)
                if not self._waiting[place]:
                    del self._waiting[place]

    async def _follow(self) -> None:
        if self._following is None:
            loop = asyncio.get_running_loop()
            self._begun = loop.create_future()
            self._following = loop.create_task(self._show_all(self._begun), context=Context())
        assert self._begun is not None
        await asyncio.shield(self._begun)

    async def _show_all(self, begun: asyncio.Future[None]) -> None:
        try:
            self._upto, doze = (await self._log.head()).position, 0.0
            begun.set_result(None)
            while self._waiting:
                page = await self._log.read(after=self._upto, limit=ENTRIES)
                self._upto = page.upto
                if not page.entries:
                    await self._log.wait(after=self._upto, timeout=LOOK_AGAIN)
                elif sum(map(self._show, page.entries)):
                    doze = 0.0
                elif len(page.entries) < ENTRIES:  # others' entries come, and are looked at a few at a time
                    doze = min(max(doze * 2, DOZE_LEAST), DOZE_MOST)
                    await self._sleep(doze)
        except Exception as error:
            for awaited in {awaited for those in self._waiting.values() for awaited in those}:
                awaited.fail(error)
        finally:
            self._following = None
            if not begun.done():
                begun.set_result(None)

    def _show(self, entry: Entry) -> int:
        """Show an entry to those who may want it; return how many do."""
        found = [each for place in _places_of(entry.envelope) for each in tuple(self._waiting.get(place, ()))]
        return sum(awaited.show(entry) for awaited in found)


def _places(sought: Sought) -> Iterable[tuple[str, str]]:
    """Return where those stand who seek this: by the narrowest of what they name."""
    where = sought.where
    if where.subject is not None:
        return [("subject", where.subject)]
    if sought.correlation is not None:
        return [("correlation", sought.correlation)]
    if where.types is not None:
        return [("type", type) for type in where.types]
    return [("", "")]


def _places_of(envelope: Envelope) -> Iterable[tuple[str, str]]:
    """Return where those stand who may want this."""
    if envelope.subject is not None:
        yield "subject", envelope.subject
    yield "correlation", envelope.correlation_id or envelope.id
    yield "type", envelope.type
    yield "", ""
