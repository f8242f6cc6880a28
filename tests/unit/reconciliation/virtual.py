"""An event loop whose time passes only when everybody waits, and never really: runs of minutes take moments."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from unittest.mock import patch

from tidings.backends.sqlite.threads import Threads
from tidings.testing.clock import NOON_US

T = TypeVar("T")


class _Jumping(selectors.SelectSelector):
    """Waits for nothing but time, which it lets pass."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits for somebody else")
        self.passed += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Has its time from what is waited for."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        return _at_once(func, *args)


class VirtualClock:
    """The clock of such a loop."""

    def now_us(self) -> int:
        return NOON_US + int(asyncio.get_running_loop().time() * 1_000_000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run_virtually(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end on a loop of its own. What threads would do is done at once, so that a run depends on nothing
    but its seed."""
    loop = VirtualLoop()
    with patch.object(Threads, "run", lambda _, job: _at_once(job)):
        try:
            return loop.run_until_complete(work)
        finally:
            loop.run_until_complete(_end(asyncio.all_tasks(loop)))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


def _at_once(func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    try:
        future.set_result(func(*args))
    except Exception as error:
        future.set_exception(error)
    return future


async def _end(left: set[asyncio.Task[Any]]) -> None:
    """End what a run has left that failed."""
    for each in left:
        each.cancel()
    await asyncio.gather(*left, return_exceptions=True)
