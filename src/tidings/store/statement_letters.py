"""The part of a store that finds what failed, as scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from tidings.log.driver import Position
from tidings.store.deliveries import EVERY, DeliveryFilter
from tidings.store.letters import DeadCount, DeadDelivery, DeadOf, GivenUp, Mark
from tidings.store.receipts import Receipt
from tidings.store.rows import ViewTable
from tidings.store.scripts import letters
from tidings.store.statement_receipts import StatementReceipts

ConnectionT = TypeVar("ConnectionT")
NowT = TypeVar("NowT")


class StatementLetters(StatementReceipts[ConnectionT, NowT]):
    """See `tidings.store.letter_store.LetterStore`."""

    async def count_letters(self) -> DeadCount:
        return await self._look(letters.counted())

    async def count_letters_of(self) -> DeadOf:
        return await self._look(letters.counted_of())

    async def dead_deliveries(
        self, where: DeliveryFilter = EVERY, *, after: Mark | None = None, limit: int = 100
    ) -> Sequence[DeadDelivery]:
        return await self._look(letters.dead(where, after=after, limit=limit))

    async def dead_delivery(self, key: str) -> DeadDelivery | None:
        return await self._look(letters.found(key))

    async def dead_behind(self, found: DeadDelivery, *, limit: int) -> Sequence[str]:
        return await self._look(letters.behind(found, limit=limit))

    async def failed_receipts(
        self, receiver: str | None = None, *, after: Mark | None = None, limit: int = 100
    ) -> Sequence[Receipt]:
        return await self._look(letters.failed(receiver, after=after, limit=limit))

    async def given_up(self, reader: str | ViewTable, position: Position) -> GivenUp | None:
        return await self._look(letters.given_up(reader, position))
