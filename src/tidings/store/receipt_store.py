"""The part of a store that keeps receivers, and the requests that came to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tidings.store.receipts import (
    Identity,
    Owner,
    Receipt,
    ReceiptOutcome,
    ReceiptTally,
    ReceiverRecord,
    SourceKey,
    Stored,
)


class ReceiptStore(Protocol):
    """What `Unit.receive` kept. Times are µs since 1970."""

    # receipts
    async def receipts(
        self,
        receiver: str | None = None,
        *,
        outcome: ReceiptOutcome | None = None,
        since: int | None = None,
        until: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[Receipt]:
        """Return receipts, newest first, of one receiver or of all; `before`: those with a lower number only.

        `since`, `until`: when they came first."""

    async def receipt(self, n: int) -> Receipt | None:
        """Return one receipt."""

    async def stored_receipt(self, n: int) -> Stored | None:
        """Return one receipt as it came; None if it is not there, or its body is pruned."""

    async def count_receipts(self, outcome: ReceiptOutcome) -> int:
        """Return how many receipts have this outcome: of `failed` the dead letters of kind `receipt`."""

    async def tally_receipts(self, receiver: str, *, newest: int) -> ReceiptTally:
        """Count the receipts of a receiver among that many of the newest: what it costs has a bound."""

    async def owners(self, source: str, keys: Sequence[str]) -> Mapping[SourceKey, Owner]:
        """Return who has each of these keys of a source: what `judge` compares a request with."""

    async def finish_receipt(self, n: int, identities: Sequence[Identity], items: bytes, *, at: int | None) -> bool:
        """As `Unit.finish_receipt`."""

    async def drop_receipt(self, n: int) -> None:
        """Give up one that failed. NotFoundError; RefusedError if it has not failed."""

    async def note_replay(self, n: int, error: str | None, *, at: int) -> None:
        """Note that a receipt was translated again; `error`: why one that failed is still no events. NotFoundError."""

    async def last_received(self, receivers: Sequence[str]) -> Mapping[str, int]:
        """Return when the newest receipt of each receiver came last; those are left out of which none is kept."""

    async def redrive_events(self, source: str, ids: Sequence[str], *, at: int) -> int:
        """Let the subjects be tried again at `at` that wait with dead letters of these events; say how many."""

    async def forget_bodies(self, *, before: int, limit: int) -> int:
        """Remove the bodies, headers and queries of the oldest receipts from before this time; say how many.

        Those stay that failed: they are dead letters."""

    async def forget_receipts(self, *, now: int, limit: int) -> int:
        """Remove receipts whose repeats need not be known any more; say how many. Those stay that failed."""

    # receivers
    async def add_receiver(self, receiver: ReceiverRecord) -> bool:
        """Keep a new receiver, at version 1; False if its id is taken."""

    async def change_receiver(self, receiver: ReceiverRecord) -> ReceiverRecord | None:
        """Keep its `config`, `secrets` and `state` if the version kept is `receiver.version`; None if it is not.

        Returns what is kept now, at the next version. NotFoundError."""

    async def receiver(self, id: str) -> ReceiverRecord | None:
        """Return one receiver, retired or not."""

    async def receivers(self) -> Sequence[ReceiverRecord]:
        """Return every receiver by its id, retired ones included."""
