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
DOZE_LEAST, DOZE_MOST = 0.001, 0.02
"""Seconds in which nothing is looked at after a look that woke nobody."""


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
        self._is_stirred = self._is_dozing = False
        self._pause = SOONEST
        self._doze = 0.0

    def until(self, wanted: Position) -> asyncio.Future[S]:
        """Return what a look will have found when the view stands there, or raises; to be cancelled by who leaves."""
        loop = asyncio.get_running_loop()
        reached: asyncio.Future[S] = loop.create_future()
        self._waiting.append((wanted, reached))
        self._pause, self._doze = SOONEST, 0.0
        if self._is_dozing:
            self._end_rest()
        if self._watching is None:
            self._is_stirred = False
            self._watching = loop.create_task(self._watch(), context=Context())
        return reached

    def stir(self) -> None:
        """Look now, if anybody waits."""
        self._is_stirred = True
        if not self._is_dozing:
            self._end_rest()

    def _end_rest(self) -> None:
        if self._rest is not None and not self._rest.done():
            self._rest.set_result(None)

    async def _watch(self) -> None:
        try:
            while self._waiting:
                await self._until_stirred()
                if not self._wake(await self._look()):
                    await self._doze_on()
        except Exception as error:
            for _, reached in self._waiting:
                if not reached.done():
                    reached.set_exception(error)
            self._waiting = []
        finally:
            self._watching = None

    def _wake(self, found: S) -> int:
        before = len(self._waiting)
        for wanted, reached in self._waiting:
            if wanted <= found.position and not reached.done():
                reached.set_result(found)
        self._waiting = [each for each in self._waiting if not each[1].done()]
        return before - len(self._waiting)

    async def _until_stirred(self) -> None:
        if not self._is_stirred:
            await self._rest_for(self._pause)
            self._pause = min(self._pause * 2, LATEST)
        self._is_stirred = False

    async def _doze_on(self) -> None:
        """Let moves pass, more and more of them, while those who wait are far from being there; nobody new waits so."""
        self._doze = min(max(self._doze * 2, DOZE_LEAST), DOZE_MOST)
        self._is_dozing = True
        try:
            await self._rest_for(self._doze)
        finally:
            self._is_dozing = False

    async def _rest_for(self, seconds: float) -> None:
        self._rest = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rest
