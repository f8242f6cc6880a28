"""The part of a store that keeps receivers and their receipts, as scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

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
from tidings.store.scripts import receiving
from tidings.store.statement_endpoints import StatementEndpoints

ConnectionT = TypeVar("ConnectionT")
NowT = TypeVar("NowT")


class StatementReceipts(StatementEndpoints[ConnectionT, NowT]):
    """See `tidings.store.receipt_store.ReceiptStore`."""

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
        wanted = {"receiver = ": receiver, "outcome = ": outcome, "received >= ": since, "received < ": until}
        return await self._look(receiving.listed(wanted, before=before, limit=limit))

    async def receipt(self, n: int) -> Receipt | None:
        return await self._look(receiving.found(n))

    async def stored_receipt(self, n: int) -> Stored | None:
        return await self._look(receiving.stored(n))

    async def count_receipts(self, outcome: ReceiptOutcome) -> int:
        return await self._look(receiving.counted(outcome))

    async def tally_receipts(self, receiver: str, *, newest: int) -> ReceiptTally:
        return await self._look(receiving.tally(receiver, newest=newest))

    async def owners(self, source: str, keys: Sequence[str]) -> Mapping[SourceKey, Owner]:
        return await self._read(lambda of: self._around.statements.receipts.owners(of, source, keys))

    async def finish_receipt(self, n: int, identities: Sequence[Identity], items: bytes, *, at: int | None) -> bool:
        return await self._write(lambda to: self._around.statements.receipts.finish(to, n, identities, items, at=at))

    async def drop_receipt(self, n: int) -> None:
        await self._change(receiving.drop(n))

    async def note_replay(self, n: int, error: str | None, *, at: int) -> None:
        await self._change(receiving.note_replay(n, error, at=at))

    async def last_received(self, receivers: Sequence[str]) -> Mapping[str, int]:
        return await self._look(receiving.last_received(receivers))

    async def redrive_events(self, source: str, ids: Sequence[str], *, at: int) -> int:
        return await self._change(receiving.redrive_events(source, ids, at=at))

    async def forget_bodies(self, *, before: int, limit: int) -> int:
        return await self._change(receiving.forget_bodies(before=before, limit=limit))

    async def forget_receipts(self, *, now: int, limit: int) -> int:
        return await self._write(lambda to: self._around.statements.receipts.forget(to, now=now, limit=limit))

    # receivers
    async def add_receiver(self, receiver: ReceiverRecord) -> bool:
        return await self._change(receiving.add_receiver(receiver))

    async def change_receiver(self, receiver: ReceiverRecord) -> ReceiverRecord | None:
        return await self._change(receiving.change_receiver(receiver))

    async def receiver(self, id: str) -> ReceiverRecord | None:
        return await self._look(receiving.find_receiver(id))

    async def receivers(self) -> Sequence[ReceiverRecord]:
        return await self._look(receiving.receivers())
