"""Waiting for a state to be reached, no longer than the caller prefers and never past the server's end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from tidings.api.answer import Header, Scope
from tidings.api.headers import wait_seconds
from tidings.ports import Clock


class Waiting:
    """Lets requests wait; `stop` ends every wait, so that a server that shuts down answers them at once.

    Its length: how many there are that wait, or may have to.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.stopping = asyncio.Event()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request among those that wait while the block runs: all of it, for a thousand may come at once."""
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    def stop(self) -> None:
        """End the waits that are on their way, and let no other begin."""
        self.stopping.set()

    def patience(self, scope: Scope) -> Patience:
        """Return how long this request may wait, from now on in all."""
        return Patience(self, wait_seconds(scope))


class Patience:
    """What is left of the time one request may wait. `seconds`: of its `Prefer: wait=N`, None without it."""

    def __init__(self, waiting: Waiting, seconds: int | None) -> None:
        self.seconds = seconds
        self._waiting = waiting
        self._end = waiting.clock.monotonic() + (seconds or 0)

    @property
    def headers(self) -> tuple[Header, ...]:
        """The header that says the preference was heeded; none if there was none."""
        return () if self.seconds is None else ((b"preference-applied", b"wait=%d" % self.seconds),)

    async def until(self, done: Callable[[], Awaitable[bool]], *, pause: Callable[[float], Awaitable[object]]) -> bool:
        """Return whether `done` came true in time; between two looks `pause`, given the seconds left, is awaited,

        and no longer than those.
        """
        if await done():
            return True
        while (left := self._end - self._waiting.clock.monotonic()) > 0 and not self._waiting.stopping.is_set():
            await self._pause(pause(left), left)
            if await done():
                return True
        return False

    async def _pause(self, pause: Awaitable[object], left: float) -> None:
        paused = asyncio.ensure_future(pause)
        stopped = asyncio.ensure_future(self._waiting.stopping.wait())
        try:
            await asyncio.wait((paused, stopped), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if paused.done():
                paused.result()
        finally:
            paused.cancel()
            stopped.cancel()
