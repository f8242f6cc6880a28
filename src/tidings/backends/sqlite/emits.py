"""Appending inside a unit: what handlers emitted, and the inline views that follow from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Protocol

from tidings.backends.sqlite import reading
from tidings.errors import Conflict, ConflictError
from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import Position, Receipt, Write

Emitted = tuple[Envelope, ...]
"""What one call of `emit` was given."""


class Appender(Protocol):
    """The part of the log that appends within somebody else's transaction."""

    def append_in(self, connection: sqlite3.Connection, writes: Sequence[Write]) -> Sequence[Receipt]:
        """Judge and keep the writes, as `append` does; the caller commits. Each id stands once among them."""

    def undone(self, connection: sqlite3.Connection) -> None:
        """Be told, on the writer's thread, that a savepoint was undone: what `append_in` kept since is kept no more."""

    def appended(self) -> None:
        """Be told that what `append_in` kept is committed: who waits for it may look."""


def append_emitted(connection: sqlite3.Connection, log: Appender, emitted: Sequence[Emitted]) -> list[Receipt]:
    """Append all, in order; return a receipt per call. ConflictError if one of the ids is kept with other content."""
    identities = [(envelope.source, envelope.id) for envelopes in emitted for envelope in envelopes]
    if len(set(identities)) < len(identities):
        return [_one_by_one(connection, log, envelopes) for envelopes in emitted]
    receipts = iter(
        _kept(log.append_in(connection, [Write(envelopes=envelopes) for envelopes in emitted if envelopes]))
    )
    return [next(receipts) if envelopes else Receipt(outcome="appended") for envelopes in emitted]


def entries_after(connection: sqlite3.Connection, position: Position) -> tuple[Entry, ...]:
    """Return what stands after this position, also what was appended by the running transaction."""
    return tuple(reading.entries_between(connection, position, reading.head(connection).position))


def _one_by_one(connection: sqlite3.Connection, log: Appender, envelopes: Emitted) -> Receipt:
    """Append envelopes among which an id may stand twice: the second is judged against the first, once that is kept."""
    receipts = [
        receipt
        for envelope in envelopes
        for receipt in _kept(log.append_in(connection, [Write(envelopes=(envelope,))]))
    ]
    positions = tuple(position for receipt in receipts for position in receipt.positions)
    known = frozenset(place for place, receipt in enumerate(receipts) if receipt.outcome == "duplicate")
    if receipts and len(known) == len(receipts):
        return Receipt(outcome="duplicate", positions=positions)
    return Receipt(outcome="appended", positions=positions, known=known)


def _kept(receipts: Sequence[Receipt]) -> Sequence[Receipt]:
    for receipt in receipts:
        if receipt.conflict is not None:
            raise ConflictError(_told(receipt.conflict), conflict=receipt.conflict)
    return receipts


def _told(conflict: Conflict) -> str:
    return (
        f"an emitted event was refused: ({conflict.source}, {conflict.id}) is kept at {conflict.position} "
        "with other content; nothing of the unit is kept"
    )
