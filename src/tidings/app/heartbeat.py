"""Whether the event loop still comes round: something on it that has nothing else to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

BEAT_SECONDS = 1.0
LATE_SECONDS = 5.0


class Heartbeat:
    """Beats every second of the running loop's own time, whatever becomes of log and store."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._next: asyncio.TimerHandle | None = None

    @property
    def age(self) -> float:
        """Seconds since the last beat; `LATE_SECONDS` or more mean that whatever runs here hardly comes to run."""
        return self._loop.time() - self._last

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Beat while the block runs."""
        self._beat()
        try:
            yield
        finally:
            if self._next is not None:
                self._next.cancel()

    def _beat(self) -> None:
        self._last = self._loop.time()
        self._next = self._loop.call_later(BEAT_SECONDS, self._beat)
