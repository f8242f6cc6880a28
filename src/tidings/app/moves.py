"""Telling, in this process, that a consumer has kept something: whoever waits for that looks then, not now and then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, cast

from tidings.log.driver import Position
from tidings.store.claims import Claim
from tidings.store.driver import StoreDriver
from tidings.store.unit import Unit


class Moves:
    """What this process's consumers keep, for those who wait for it. Other processes' units are not told.

    `count`: how many units were kept.
    """

    def __init__(self) -> None:
        self.count = 0
        self._told: list[Callable[[], None]] = []
        self._reached: dict[str, dict[int, Position]] = {}

    def over(self, store: StoreDriver) -> StoreDriver:
        """Return the store, whose units tell when they are kept."""
        return cast(StoreDriver, _Telling(store, self))

    def listen(self, call: Callable[[], None]) -> None:
        """Call this, from now on, after each unit."""
        self._told.append(call)

    def reached(self, consumer: str) -> Position:
        """Return a position that the consumer has reached; 0 unless this process saw each of its partitions move.

        It may stand further, but never stands behind: what it keeps stays kept though its checkpoint is rewound.
        """
        return min(self._reached.get(consumer, {0: 0}).values())

    def tell(self, claims: Sequence[Claim], to: Position | None) -> None:
        """Be told that a unit was kept, and where it put the checkpoints of its claims; None if it left them."""
        self.count += 1
        if to is not None:
            for claim in claims:
                parts = self._reached.setdefault(claim.consumer, dict.fromkeys(range(claim.partitions), 0))
                parts[claim.part] = max(parts.get(claim.part, 0), to)
        for call in self._told:
            call()


class _Telling:
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
        self._moves.tell(claims, unit.to)
