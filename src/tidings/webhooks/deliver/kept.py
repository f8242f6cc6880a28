"""Connections that are open and idle, to be used again before their receivers close them."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Closes(Protocol):
    """A connection. `is_usable`: whether it may be used again."""

    @property
    def is_usable(self) -> bool: ...

    def close(self) -> None: ...


WireT = TypeVar("WireT", bound=Closes)


class Kept(Generic[WireT]):
    """Keeps each for `seconds` after its last use, by where it leads. The one that was used last is taken first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._idle: dict[Hashable, list[tuple[float, WireT]]] = {}
        self._sweeping: asyncio.TimerHandle | None = None

    def take(self, where: Hashable) -> WireT | None:
        """Return one that leads there and may be used; None if there is none."""
        idle = self._idle.get(where)
        now = asyncio.get_running_loop().time()
        while idle:
            since, wire = idle.pop()
            if wire.is_usable and now - since < self._seconds:
                return wire
            wire.close()
        return None

    def put(self, where: Hashable, wire: WireT) -> None:
        """Keep one that nobody uses any more; one that cannot be used again is closed."""
        if not wire.is_usable:
            wire.close()
            return
        loop = asyncio.get_running_loop()
        self._idle.setdefault(where, []).append((loop.time(), wire))
        if self._sweeping is None:
            self._sweeping = loop.call_later(self._seconds, self._sweep)

    def close(self) -> None:
        """Close all of them."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for idle in self._idle.values():
            for _, wire in idle:
                wire.close()
        self._idle.clear()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        ended = loop.time() - self._seconds
        for where, idle in list(self._idle.items()):
            for since, wire in idle:
                if since <= ended:
                    wire.close()
            kept = [each for each in idle if each[0] > ended]
            if kept:
                self._idle[where] = kept
            else:
                del self._idle[where]
        self._sweeping = loop.call_later(self._seconds, self._sweep) if self._idle else None
