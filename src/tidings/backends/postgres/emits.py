"""Appending inside a unit: what handlers emitted, and the entries that inline views follow from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tidings.backends.postgres.connection import Connection
from tidings.events.envelope import Envelope
from tidings.log.driver import Receipt, Write
from tidings.store.emitted import Emitted, has_repeats, joined, kept, receipts_of, writes_of


class Appender(Protocol):
    """The part of the log that appends within somebody else's transaction."""

    async def append_in(self, connection: Connection, writes: Sequence[Write]) -> Sequence[Receipt]:
        """Judge and keep the writes, as `append` does; the caller commits, soon. Each id stands once among them."""

    def appended(self) -> None:
        """Be told that what `append_in` kept is committed: who waits for it may look."""


async def append_emitted(connection: Connection, log: Appender, emitted: Sequence[Emitted]) -> list[Receipt]:
    """Append all, in order; return a receipt per call. ConflictError if one of the ids is kept with other content."""
    if has_repeats(emitted):
        return [joined(await _one_by_one(connection, log, envelopes)) for envelopes in emitted]
    return receipts_of(emitted, kept(await log.append_in(connection, writes_of(emitted))))


def new_among(envelopes: Sequence[Envelope], receipt: Receipt) -> list[tuple[int, Envelope]]:
    """Return those of a write that were not there before, with their positions."""
    if receipt.outcome != "appended":
        return []
    placed = zip(receipt.positions, envelopes, strict=True)
    return [each for place, each in enumerate(placed) if place not in receipt.known]


async def _one_by_one(connection: Connection, log: Appender, envelopes: Emitted) -> list[Receipt]:
    return [
        receipt
        for envelope in envelopes
        for receipt in kept(await log.append_in(connection, [Write(envelopes=(envelope,))]))
    ]
