"""Takes what is queued, flush by flush, and has it kept: as many at a time as the driver can take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context

from tidings.errors import LogUnavailableError
from tidings.log.flush import Queued
from tidings.log.queue import Queue


class Flushes:
    """Those that are under way, `at_once` at most. `keep` answers the writes of one, if it can."""

    def __init__(self, queue: Queue, keep: Callable[[Sequence[Queued]], Awaitable[None]], *, at_once: int) -> None:
        self._queue = queue
        self._keep = keep
        self._at_once = at_once
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_beginning = False
        self._is_blocked = False

    def added(self, item: Queued) -> None:
        """Be told of a write that was queued."""
        if not (self._is_blocked and self._queue.has_to_wait(item)):
            self._begin()

    def _begin(self) -> None:
        # A task begins after one turn of the loop: whoever appends in this turn, and whoever the flush before has
        # just answered and now appends again, is part of it.
        if self._is_beginning or self._queue.is_empty or len(self._tasks) >= self._at_once:
            return
        self._is_beginning = True
        # A flush serves many callers, so it runs in the context of none; and in one of its own, for what it is in the
        # middle of, such as a unit, is nothing to the others.
        task = asyncio.get_running_loop().create_task(self._run(), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _run(self) -> None:
        self._is_beginning = False
        flush = self._queue.take()
        if flush is None:
            self._is_blocked = not self._queue.is_empty  # all of it waits for the end of flushes that are under way
            return
        self._begin()
        try:
            await self._keep(flush.items)
        finally:
            self._queue.settle(flush)
            self._is_blocked = False
            for item in flush.items:
                if not item.is_answered:
                    item.receipt.set_exception(LogUnavailableError("the log was stopped: nothing is known of the call"))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._is_blocked:
            self._begin()

    async def finish(self) -> None:
        """Come back when nothing is queued any more, and everything is answered."""
        while self._tasks:
            await asyncio.wait([*self._tasks])
