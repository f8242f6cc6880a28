"""Telling, in this process, that a consumer has kept something: whoever waits for that looks then, not now and then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import cast

from tidings.log.driver import Position
from tidings.store.claims import Claim
from tidings.store.driver import StoreDriver
from tidings.store.through import Through
from tidings.store.unit import Unit


class Moves:
    """What this process's consumers keep, for those who wait for it. Other processes' units are not told.

    `count`: how many units were kept.
    """

    def __init__(self) -> None:
        self.count = 0
        self._told: list[tuple[str | None, Callable[[], None]]] = []
        self._reached: dict[str, dict[int, Position]] = {}

    def over(self, store: StoreDriver) -> StoreDriver:
        """Return the store, whose units tell when they are kept."""
        return cast(StoreDriver, _Telling(store, self))

    def listen(self, call: Callable[[], None], *, consumer: str | None = None) -> None:
        """Call this, from now on, after each unit; `consumer`: after its units only."""
        self._told.append((consumer, call))

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
        of = {claim.consumer for claim in claims}
        for consumer, call in self._told:
            if consumer is None or consumer in of:
                call()


class _Telling(Through[StoreDriver]):
    def __init__(self, store: StoreDriver, moves: Moves) -> None:
        super().__init__(store)
        self._moves = moves

    @asynccontextmanager
    async def unit(self, *claims: Claim) -> AsyncIterator[Unit]:
        async with self._inner.unit(*claims) as unit:
            yield unit
        self._moves.tell(claims, unit.to)
