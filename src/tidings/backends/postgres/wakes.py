"""Waking who waits for the log: polling is the truth; a hint of an append, here or elsewhere, has it look at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context

from tidings.backends.postgres.settling import Settling
from tidings.errors import LogUnavailableError
from tidings.log.driver import Position

SOONEST = 0.001
LATEST = 1.0
LATEST_UNHEARD = 0.25
"""How long between two looks where no hint of another process's appends can come."""
LATEST_IN_FRONT_OF_A_HOLE = 0.05


class Wakes:
    """Those who wait, each for an entry after a position. While there are any, one task looks for all of them."""

    def __init__(self, settling: Settling) -> None:
        self.hears = False
        self.closed = False
        self._settling = settling
        self._waiting: dict[asyncio.Future[None], Position] = {}
        self._hint = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    def hint(self) -> None:
        """Be told that something may have been appended. Who begins to wait looks by itself."""
        if self._waiting:
            self._hint.set()

    async def wait(self, *, after: Position, timeout: float) -> None:
        """Come back when an entry after this position is final, at the timeout (seconds), or when closed."""
        if self._settling.final > after or self.closed:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = after
        self._hint.set()  # what came since the last look is not hinted at again
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look_on(), context=Context())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await future
        finally:
            del self._waiting[future]

    async def _look_on(self) -> None:
        pause = SOONEST
        while self._waiting:
            self._hint.clear()
            before = self._settling.final
            try:
                await self._settling.look()
            except LogUnavailableError:
                pass  # it may be back before anybody's timeout; and who reads then is told
            except Exception as error:
                self._fail(error)
                break
            self._wake()
            pause = SOONEST if self._settling.final > before else min(pause * 2, self._latest())
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._hint.wait()
        self._looking = None

    def _latest(self) -> float:
        if self._settling.has_open_hole:
            return LATEST_IN_FRONT_OF_A_HOLE
        return LATEST if self.hears else LATEST_UNHEARD

    def _wake(self) -> None:
        for future, after in self._waiting.items():
            if self._settling.final > after and not future.done():
                future.set_result(None)

    def _fail(self, error: Exception) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_exception(error)

    async def close(self) -> None:
        """Let everyone go; twice is once."""
        self.closed = True
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
            self._looking = None
