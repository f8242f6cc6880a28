"""Telling, in this process, that a consumer has kept something: whoever waits for that looks then, not now and then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, cast

from tidings.store.claims import Claim
from tidings.store.driver import StoreDriver, Unit


class Moves:
    """Those who listen for units that consumers keep. `count`: how many were kept. Other processes' are not told."""

    def __init__(self) -> None:
        self.count = 0
        self._listeners: list[Callable[[], None]] = []

    def over(self, store: StoreDriver) -> StoreDriver:
        """Return the store, whose units tell when they are kept."""
        return cast(StoreDriver, _Told(store, self))

    def listen(self, listener: Callable[[], None]) -> None:
        """Call this, from now on, after each unit."""
        self._listeners.append(listener)

    def tell(self) -> None:
        """Be told that a unit was kept."""
        self.count += 1
        for listener in self._listeners:
            listener()


class _Told:
    def __init__(self, store: StoreDriver, moves: Moves) -> None:
        self._store = store
        self._moves = moves

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def unit(self, *claims: Claim) -> AbstractAsyncContextManager[Unit]:
        return self._unit(claims)

    @asynccontextmanager
    async def _unit(self, claims: tuple[Claim, ...]) -> AsyncIterator[Unit]:
        async with self._store.unit(*claims) as unit:
            yield unit
        self._moves.tell()
