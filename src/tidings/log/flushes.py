"""Takes what is queued, flush by flush, and has it kept: as many at a time as the driver can take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context

from tidings.errors import LogUnavailableError
from tidings.log.driver import Receipt, Write
from tidings.log.flush import Queued, UnderWay
from tidings.log.queue import Queue


class Flushes:
    """Those that are under way, `at_once` at most. `keep` answers the writes of one, if it can.

    `alone`: whether a write may be kept by its caller.
    """

    def __init__(
        self, queue: Queue, keep: Callable[[Sequence[Queued]], Awaitable[None]], *, at_once: int, alone: bool
    ) -> None:
        self._queue = queue
        self._keep = keep
        self._at_once = at_once
        self._may_be_alone = alone
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_beginning = False
        self._is_blocked = False
        self._is_quiet = False
        self._alone: UnderWay | None = None
        self._ended_alone: asyncio.Future[None] | None = None

    def begin_alone(self, write: Write) -> bool:
        """Begin a flush of this one write, for its caller to keep in its own task; say whether one was begun.

        None is where writes may be gathered: if any is queued or under way, or the flush before held several. Nor is
        one begun if that was not simply appended, for then this one may not be either.
        """
        flush = self._queue.begin_alone(write) if self._is_quiet else None
        if flush is None:
            return False
        self._alone = flush
        return True

    def end_alone(self, left: Queued | None = None) -> None:
        """Be told that the caller is done. What is left, since nothing is known of it, is taken before all others."""
        assert self._alone is not None
        has_more = self._queue.settle(self._alone)
        self._alone = None
        if left is not None:
            has_more = True
            self._is_quiet = False
            self._queue.put_back(left)
        self._is_blocked = False
        if has_more:
            self._begin()
        if self._ended_alone is not None:
            self._ended_alone.set_result(None)
            self._ended_alone = None

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
            self._is_quiet = self._may_be_alone and len(flush.items) == 1 and _is_appended(flush.items[0].receipt)
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
        while self._tasks or self._alone is not None:
            if self._alone is not None:
                self._ended_alone = self._ended_alone or asyncio.get_running_loop().create_future()
                await self._ended_alone
            if self._tasks:
                await asyncio.wait([*self._tasks])


def _is_appended(receipt: asyncio.Future[Receipt]) -> bool:
    return (
        receipt.done()
        and not receipt.cancelled()
        and receipt.exception() is None
        and receipt.result().outcome == "appended"
    )
