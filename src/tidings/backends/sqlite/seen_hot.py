"""The newest opaque keys: a row for those of each append, in the order in which they come, found again in memory.

In the order of positions an append touches the table's end; in the order of keys, which are random, it would touch any
of all its pages. So the table is not asked for a key, and each process that appends holds what is in it.

What is held is what is committed, or was taken in the open transaction: unless its commit is told, on the writer's own
thread, before the next one begins, its keys are taken out again. Whatever stands in the table beyond what is known was
committed by another process, and is read.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence

from tidings.backends.sqlite.seen_record import Known, find_in, keys_of, records_of, without
from tidings.backends.sqlite.statements import filled, values
from tidings.log.driver import Position

TABLE = "tidings_seen_hot"


class Hot:
    """Used by whoever holds the writer, in its transactions. `transaction` returns the number of the one that is open.

    A row is called by the first position that was meant for its keys. `table`: where they stand; one of the same form.
    """

    def __init__(self, transaction: Callable[[], int], *, table: str = TABLE) -> None:
        self._number = transaction
        self._table = table
        self._held: dict[bytes, Position] = {}
        self._upto: Position = 0
        self._taken: list[bytes] = []
        self._last: Position = 0
        self._taken_in = 0
        self._is_committed = False

    def __len__(self) -> int:
        return len(self._held)

    def committed(self) -> None:
        """Be told that the transaction which is open has been committed."""
        if self._taken_in == self._number():
            self._is_committed = True

    def catch_up(self, connection: sqlite3.Connection) -> None:
        """Learn what was committed since the last transaction. To be called in each that takes or finds keys."""
        if self._taken_in == self._number():
            return  # what stands in the table beyond what is known was taken in this very transaction
        if self._is_committed:
            self._upto = self._last
        else:
            for key in self._taken:
                del self._held[key]
        self._taken, self._taken_in, self._is_committed = [], self._number(), False
        statement = (
            f"SELECT pos, CASE WHEN pos > ?1 THEN records ELSE x'' END FROM {self._table} WHERE pos >= ?1 ORDER BY pos"
        )
        rows = connection.execute(statement, (self._upto,)).fetchall()
        if not rows or rows[0][0] != self._upto:
            self._held, self._upto = {}, 0  # the run was closed meanwhile: all rows leave at once
        for row, records in rows:
            self._held.update(dict.fromkeys(keys_of(records), row))
            self._upto = row
        self._last = self._upto

    def find(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> Known:
        """Return those of the keys that are kept, or were taken in this transaction."""
        held = self._held
        if held.keys().isdisjoint(keys):
            return {}
        found: defaultdict[Position, list[bytes]] = defaultdict(list)
        for key in held.keys() & keys:
            found[held[key]].append(key)
        known: Known = {}
        for piece in filled(list(found), 1):
            statement = f"SELECT pos, records FROM {self._table} WHERE pos IN (VALUES {values(1, len(piece))})"
            for row, records in connection.execute(statement, piece).fetchall():
                known.update({key: at for key in found[row] if (at := find_in(records, key))})
        return known

    def take(self, connection: sqlite3.Connection, keys: Sequence[bytes], positions: Sequence[Position]) -> None:
        """Keep keys that `find` does not know, at these positions, which rise and are all above the head."""
        row = positions[0]
        entries = len(self) + len(keys)
        records = records_of(keys, positions)
        connection.execute(
            f"INSERT INTO {self._table} (pos, entries, records) VALUES (?, ?, ?)", (row, entries, records)
        )
        self._held.update(dict.fromkeys(keys, row))
        self._taken += keys
        self._last = row

    def left(self, upto: Position) -> None:
        """Be told that the rows up to this one are gone, in a transaction that is committed."""
        self._held = {key: row for key, row in self._held.items() if row > upto}

    def undone(self, connection: sqlite3.Connection) -> None:
        """Be told that a savepoint of the open transaction was undone: keys that were taken since are gone."""
        if self._taken_in != self._number():
            return
        found = connection.execute(f"SELECT pos FROM {self._table} WHERE pos > ?", (self._upto,)).fetchall()
        rows = frozenset([row for (row,) in found])
        taken, self._taken = self._taken, []
        for key in taken:
            if self._held[key] in rows:
                self._taken.append(key)
            else:
                del self._held[key]
        self._last = max(rows, default=self._upto)

    def forget(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> None:
        """Take back keys of those that were taken last."""
        if not keys:
            return
        row, gone = self._last, frozenset(keys)
        for key in gone:
            del self._held[key]
        self._taken = [key for key in self._taken if key not in gone]
        [(records,)] = connection.execute(f"SELECT records FROM {self._table} WHERE pos = ?", (row,)).fetchall()
        left = without(records, gone)
        if left:
            statement = f"UPDATE {self._table} SET entries = ?, records = ? WHERE pos = ?"
            connection.execute(statement, (len(self), left, row))
        else:
            connection.execute(f"DELETE FROM {self._table} WHERE pos = ?", (row,))
            self._last = max([self._held[key] for key in self._taken], default=self._upto)


def entries_in(connection: sqlite3.Connection) -> int:
    """Return how many keys the table holds: each row tells how many there are up to it."""
    row = connection.execute(f"SELECT entries FROM {TABLE} ORDER BY pos DESC LIMIT 1").fetchone()
    return 0 if row is None else int(row[0])


def records_in(connection: sqlite3.Connection, table: str = TABLE) -> bytes:
    """Return all records of the table, as one value: a row each would be a step each."""
    [(records,)] = connection.execute(f"SELECT CAST(group_concat(records, '') AS BLOB) FROM {table}").fetchall()
    return records or b""
