"""How long an attempt may take: one timer for all that are under way, since each may take as long as any other."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

_LATE = float("-inf")


class Deadline:
    """A block in a task ends with TimeoutError after `seconds`, as with `asyncio.timeout`, which has a timer for each.

    A task is in one such block at a time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[asyncio.Task[Any], tuple[float, int]] = {}  # in the order in which they end
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        until = loop.time() + self._seconds
        self._until[task] = until, task.cancelling()
        if self._timer is None:
            self._timer = loop.call_at(until, self._end_the_late, loop)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        until, cancelled = self._until.pop(task)
        if until == _LATE and task.uncancel() <= cancelled and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _end_the_late(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        for task, (until, cancelled) in self._until.items():
            if until > loop.time():
                self._timer = loop.call_at(until, self._end_the_late, loop)
                return
            if until != _LATE:
                self._until[task] = _LATE, cancelled
                task.cancel()
