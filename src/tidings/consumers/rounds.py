"""Looking again and again for deliveries that are due, with several of them under way meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from tidings.consumers.faults import PASSING
from tidings.log.flush import retry_delay
from tidings.ports import Ports

LOOK_SECONDS = 1.0
"""How long nobody looks at most: what is due may have been added by another process."""
_MOST_FAILURES = 32


class Rounds:
    """Calls `look`, which begins what is due and returns in how many seconds to look again, 0: at once.

    It looks earlier when woken, and when something that was begun has ended. A store or a log that is out of reach is
    waited for, longer each time.
    """

    def __init__(self, name: str, look: Callable[[], Awaitable[float]], ports: Ports, *, log: logging.Logger) -> None:
        self._name = name
        self._look = look
        self._ports = ports
        self._log = log
        self._woken = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._beside, self._is_empty = 0, asyncio.Event()
        self._failures = 0

    def __len__(self) -> int:
        return len(self._under_way) + self._beside

    def wake(self) -> None:
        """Have it look at once."""
        self._woken.set()

    def begin(self, key: str, attempt: Coroutine[Any, Any, None]) -> None:
        """Have an attempt made beside the others. `key`: of its delivery."""
        task = asyncio.create_task(attempt, name=key)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def enter(self) -> None:
        """Count something as under way that callbacks carry, without the price of a task."""
        self._beside += 1

    def leave(self) -> None:
        """Count it no more. It is not looked for more, as at a task's end: who writes its result wakes."""
        self._beside -= 1
        if not self._beside:
            self._is_empty.set()

    def lost(self, key: str, error: BaseException) -> None:
        """Report an attempt that raised."""
        why = "the result of delivery %s was not written, so it is made again once its lease ends"
        self._log.error(why, key, exc_info=error)
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Look until `stopping` is set; then wait for the end of what is under way, and return.

        Cancelling ends what is under way; it is made again once its lease ends.
        """
        stopped = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                self._woken.clear()  # before it looks, so that no wake-up is lost between an empty look and the rest
                seconds = await self._turn()
                if seconds > 0:
                    await self._rest(stopped, seconds)
            await self.drain()
        finally:
            stopped.cancel()
            await self.end()

    async def drain(self) -> None:
        """Come back once nothing is under way; what is may begin more."""
        while len(self):
            if self._under_way:
                await asyncio.wait(self._under_way)
            else:
                self._is_empty.clear()
                await self._is_empty.wait()

    async def end(self) -> None:
        """Cancel what is under way, and wait for it."""
        tasks = tuple(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _turn(self) -> float:
        try:
            seconds = await self._look()
        except PASSING as error:
            if self._failures == 0:  # one line for a row of failures
                self._log.warning("%s tries again: %s", self._name, error)
            self._failures = min(self._failures + 1, _MOST_FAILURES)
            return retry_delay(self._failures, self._ports.random)
        self._failures = 0
        return seconds

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.lost(task.get_name(), error)
        self._woken.set()  # there is room again, and the next one of its order may be due

    async def _rest(self, stopped: asyncio.Task[bool], seconds: float) -> None:
        woken = asyncio.create_task(self._woken.wait())
        rested = asyncio.create_task(self._ports.clock.sleep(seconds))
        waiting: list[asyncio.Task[bool] | asyncio.Task[None]] = [woken, rested]
        try:
            await asyncio.wait((stopped, *waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
