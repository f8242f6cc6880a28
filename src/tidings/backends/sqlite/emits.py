"""Appending inside a unit: what handlers emitted, and the inline views that follow from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Protocol

from tidings.backends.sqlite import reading
from tidings.events.envelope import Entry
from tidings.log.driver import Position, Receipt, Write
from tidings.store.emitted import Emitted, has_repeats, joined, kept, receipts_of, writes_of


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
    if has_repeats(emitted):
        return [joined(_one_by_one(connection, log, envelopes)) for envelopes in emitted]
    return receipts_of(emitted, kept(log.append_in(connection, writes_of(emitted))))


def entries_after(connection: sqlite3.Connection, position: Position) -> tuple[Entry, ...]:
    """Return what stands after this position, also what was appended by the running transaction."""
    return tuple(reading.entries_between(connection, position, reading.head(connection).position))


def _one_by_one(connection: sqlite3.Connection, log: Appender, envelopes: Emitted) -> list[Receipt]:
    return [
        receipt for envelope in envelopes for receipt in kept(log.append_in(connection, [Write(envelopes=(envelope,))]))
    ]
