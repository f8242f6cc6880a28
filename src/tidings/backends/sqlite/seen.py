"""Which (source, id) are kept, for ever: each key with its position, where the content stands.

Keys in order of time stand in one table, at whose edge new ones are added. Opaque ones are hot at first; when there are
enough of them they become a run, which gets no more. Runs are merged into larger ones, each of which is met through a
filter in memory, so that a new key seldom costs a look at a page of old ones.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from tidings.backends.sqlite.multirow import add_rows
from tidings.backends.sqlite.seen_closed import Closed, find_in_runs
from tidings.backends.sqlite.seen_hot import Hot, records_in
from tidings.backends.sqlite.seen_record import Known, find_in
from tidings.backends.sqlite.statements import filled, values
from tidings.log.driver import Position
from tidings.log.seen_key import Sought

TIMED = "tidings_seen_time"

_NONE = -1
"""No version of the runs that is known to be committed."""


class Seen:
    """Used inside the append's transaction, by whoever holds the writer. What it holds is what is committed.

    `transaction` returns the number of the transaction that is open.
    """

    def __init__(self, transaction: Callable[[], int]) -> None:
        self.added = 0
        self._transaction = transaction
        self._version = _NONE
        self._learnt = _NONE
        self._learnt_in = 0
        self._hot = Hot(transaction)
        self._closed = Closed()

    @property
    def hot_entries(self) -> int:
        return len(self._hot)

    def committed(self) -> None:
        """Be told, on the writer's thread, that the transaction which is open has been committed."""
        if self._learnt_in == self._transaction():
            self._version = self._learnt
        self._hot.committed()

    def undone(self, connection: sqlite3.Connection) -> None:
        """Be told, on the writer's thread, that a savepoint of the transaction which is open has been undone."""
        self._hot.undone(connection)

    def catch_up(self, connection: sqlite3.Connection, version: int) -> bool:
        """Learn what other processes did since the last transaction; say whether one changed the runs."""
        if version == self._version:
            return False
        self._closed.changed()
        # A transaction may raise the version itself and be rolled back; another one gets the same number then.
        self._version, self._learnt, self._learnt_in = _NONE, version, self._transaction()
        if self.hot_entries:  # perhaps they are closed now; whoever has read none needs none yet
            self._hot.catch_up(connection)
        return True

    def take(self, connection: sqlite3.Connection, sought: Sought, positions: Sequence[Position]) -> Known:
        """Keep the keys that are new, at these positions, all above the head; return the others."""
        known = self._take_opaque(connection, sought, positions) if sought.opaque else {}
        if sought.timed and _add_timed(connection, sought, positions) < len(sought.timed):
            known |= _find(connection, TIMED, [sought.keys[n] for n in sought.timed], below=positions[0])
        return known

    def _take_opaque(self, connection: sqlite3.Connection, sought: Sought, positions: Sequence[Position]) -> Known:
        [keys] = _at((sought.keys,), sought.opaque, of=len(positions))
        self._hot.catch_up(connection)
        known = self._hot.find(connection, keys) | self._closed.find(connection, keys)
        places = [n for n in sought.opaque if sought.keys[n] not in known] if known else sought.opaque
        if places:
            self._hot.take(connection, *_at((sought.keys, positions), places, of=len(positions)))
            self.added += len(places)
        return known

    def forget(self, connection: sqlite3.Connection, sought: Sought, places: Sequence[int]) -> None:
        """Take back what `take` has just kept at these places."""
        opaque = frozenset(sought.opaque)
        self._hot.forget(connection, [sought.keys[n] for n in places if n in opaque])
        for piece in filled([sought.keys[n] for n in places if n not in opaque], 1):
            connection.execute(f"DELETE FROM {TIMED} WHERE k IN (VALUES {values(1, len(piece))})", piece)


def find_anywhere(connection: sqlite3.Connection, sought: Sought) -> Known:
    """Return those of the keys that are kept, by the tables alone: for whoever reads. In one transaction."""
    known = _find(connection, TIMED, [sought.keys[n] for n in sought.timed])
    opaque = [sought.keys[n] for n in sought.opaque]
    if opaque:
        hot = records_in(connection)
        known |= {key: at for key in opaque if (at := find_in(hot, key))}
        known |= find_in_runs(connection, opaque)
    return known


def _find(connection: sqlite3.Connection, table: str, keys: Sequence[bytes], *, below: Position | None = None) -> Known:
    known: Known = {}
    for piece in filled(keys, 1):
        statement = f"SELECT k, pos FROM {table} WHERE k IN (VALUES {values(1, len(piece))})"
        if below is None:
            rows = connection.execute(statement, piece)
        else:
            rows = connection.execute(f"{statement} AND pos < ?", (*piece, below))
        known.update(rows.fetchall())
    return known


def _add_timed(connection: sqlite3.Connection, sought: Sought, positions: Sequence[Position]) -> int:
    columns = _at((sought.keys, positions), sought.timed, of=len(positions))
    return add_rows(connection, f"{TIMED} (k, pos)", columns, tail="ON CONFLICT DO NOTHING")


def _at(columns: tuple[Sequence[Any], ...], places: Sequence[int], *, of: int) -> tuple[Sequence[Any], ...]:
    return columns if len(places) == of else tuple([column[n] for n in places] for column in columns)
