"""Waiting for a view to reach a position: one look serves all who wait, and only those are woken who are there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from typing import Generic, Protocol, TypeVar

from tidings.log.driver import Position

SOONEST, LATEST = 0.005, 0.05
"""Seconds between two looks if nothing is told, since another process may carry this view: longer and longer."""


class Stand(Protocol):
    """Where something stands."""

    @property
    def position(self) -> Position: ...


S = TypeVar("S", bound=Stand)


class Reached(Generic[S]):
    """Those who wait for one view. `look` says where it stands; `stir` is to be called when it may have moved."""

    def __init__(self, look: Callable[[], Awaitable[S]]) -> None:
        self._look = look
        self._waiting: list[tuple[Position, asyncio.Future[S]]] = []
        self._watching: asyncio.Task[None] | None = None
        self._rest: asyncio.Future[None] | None = None
        self._is_stirred = False
        self._pause = SOONEST

    def until(self, wanted: Position) -> asyncio.Future[S]:
        """Return what a look will have found when the view stands there, or raises; to be cancelled by who leaves."""
        loop = asyncio.get_running_loop()
        reached: asyncio.Future[S] = loop.create_future()
        self._waiting.append((wanted, reached))
        self._pause = SOONEST
        if self._watching is None:
            self._is_stirred = False
            self._watching = loop.create_task(self._watch(), context=Context())
        return reached

    def stir(self) -> None:
        """Look now, if anybody waits."""
        self._is_stirred = True
        if self._rest is not None and not self._rest.done():
            self._rest.set_result(None)

    async def _watch(self) -> None:
        try:
            while self._waiting:
                await self._until_stirred()
                self._wake(await self._look())
        except Exception as error:
            for _, reached in self._waiting:
                if not reached.done():
                    reached.set_exception(error)
            self._waiting = []
        finally:
            self._watching = None

    def _wake(self, found: S) -> None:
        for wanted, reached in self._waiting:
            if wanted <= found.position and not reached.done():
                reached.set_result(found)
        self._waiting = [each for each in self._waiting if not each[1].done()]

    async def _until_stirred(self) -> None:
        if not self._is_stirred:
            self._rest = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._rest
            self._pause = min(self._pause * 2, LATEST)
        self._is_stirred = False
