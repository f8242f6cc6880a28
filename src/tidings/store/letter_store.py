"""The part of a store that finds what failed where it lies, deliveries and receipts, and what was given up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tidings.log.driver import Position
from tidings.store.deliveries import EVERY, DeliveryFilter
from tidings.store.letters import DeadCount, DeadDelivery, DeadOf, GivenUp, Mark
from tidings.store.receipts import Receipt
from tidings.store.rows import ViewTable


class LetterStore(Protocol):
    """Dead letters of the kinds `delivery` and `receipt`. Those of handlers are `StoreDriver.parked`."""

    async def count_letters(self) -> DeadCount:
        """Count those of both kinds."""

    async def count_letters_of(self) -> DeadOf:
        """Count dead calls of functions by service, and receipts that failed by receiver."""

    async def dead_deliveries(
        self, where: DeliveryFilter = EVERY, *, after: Mark | None = None, limit: int = 100
    ) -> Sequence[DeadDelivery]:
        """Return dead deliveries, the longest dead first, behind this mark; those left out that only follow another."""

    async def dead_delivery(self, key: str) -> DeadDelivery | None:
        """Return the delivery of this key, if it is dead; also one that follows another."""

    async def dead_behind(self, found: DeadDelivery, *, limit: int) -> Sequence[str]:
        """Return the keys of those of its subject that are dead because it is, in order."""

    async def failed_receipts(
        self, receiver: str | None = None, *, after: Mark | None = None, limit: int = 100
    ) -> Sequence[Receipt]:
        """Return receipts that failed, oldest first, behind the one of this time and number."""

    async def given_up(self, reader: str | ViewTable, position: Position) -> GivenUp | None:
        """Return how the entry that stands there was dropped, by a consumer or for a view's table; None if it was not.

        A replay from there or before hands it to its consumer again: what was dropped earlier is given up no more. For
        a table it is for ever, also if it was dropped for another of its view before the table was made.
        """
