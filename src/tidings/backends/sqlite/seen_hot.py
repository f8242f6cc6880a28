"""The newest opaque keys: added to a table in the order in which they come, and found again in memory.

In the order of positions an insert touches one page; in the order of keys, which are random, it would touch any of all
the table's. So the table cannot be asked for a key, and each process holds what is in it.

What is held is what is committed: a key that was taken in a transaction that failed must not be known. So keys that are
taken wait until the commit is told, on the writer's own thread, before the next transaction can begin. Whatever else
stands in the table beyond what is known was committed by another process, and is read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from tidings.backends.sqlite.multirow import add_rows
from tidings.backends.sqlite.statements import filled, values
from tidings.log.driver import Position

Known = dict[bytes, tuple[Position, int]]
"""Keys that are kept, with position and mark."""

TABLE = "tidings_seen_hot"


class Hot:
    """Used on the writer's thread, in its transactions. `transaction` returns the number of the one that is open."""

    def __init__(self, transaction: Callable[[], int]) -> None:
        self._number = transaction
        self._kept: Known = {}
        self._upto: Position = 0
        self._taken: Known = {}
        self._taken_in = 0
        self._is_committed = False

    def __len__(self) -> int:
        return len(self._kept) + len(self._taken)

    def committed(self) -> None:
        """Be told that the transaction which is open has been committed."""
        self._is_committed = self._taken_in == self._number()

    def catch_up(self, connection: sqlite3.Connection, *, anew: bool) -> None:
        """Learn what was committed since the last transaction. `anew`: keys have left the table meanwhile."""
        if self._taken_in == self._number():
            return  # what stands in the table beyond what is known was taken in this very transaction
        if self._is_committed and not anew and self._taken:
            self._kept |= self._taken
            self._upto = max(self._upto, max(position for position, _ in self._taken.values()))
        if anew:
            self._kept, self._upto = {}, 0
        self._taken, self._taken_in, self._is_committed = {}, self._number(), False
        rows = connection.execute(f"SELECT pos, k, h FROM {TABLE} WHERE pos > ? ORDER BY pos", (self._upto,)).fetchall()
        if rows:
            self._kept.update({k: (position, h) for position, k, h in rows})
            self._upto = rows[-1][0]

    def find(self, keys: Sequence[bytes]) -> Known:
        """Return those of the keys that are kept, or were taken in this transaction."""
        wanted = set(keys)
        known = {k: self._kept[k] for k in self._kept.keys() & wanted}
        return known | {k: self._taken[k] for k in self._taken.keys() & wanted} if self._taken else known

    def take(
        self, connection: sqlite3.Connection, keys: Sequence[bytes], positions: Sequence[Position], marks: Sequence[int]
    ) -> None:
        """Keep keys that `find` does not know, at these positions, all above the head."""
        add_rows(connection, f"{TABLE} (pos, k, h)", (positions, keys, marks))
        self._taken.update(zip(keys, zip(positions, marks, strict=True), strict=True))

    def forget(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> None:
        """Take back keys that were taken in this transaction."""
        gone = [self._taken.pop(key)[0] for key in keys]
        for piece in filled(gone, 1):
            connection.execute(f"DELETE FROM {TABLE} WHERE pos IN (VALUES {values(1, len(piece))})", piece)


def find_in_table(connection: sqlite3.Connection, keys: Sequence[bytes]) -> Known:
    """Return those of the keys that are kept, by a look at all of the table, which is short: for whoever reads."""
    known: Known = {}
    for piece in filled(keys, 1):
        statement = f"SELECT k, pos, h FROM {TABLE} WHERE k IN (VALUES {values(1, len(piece))})"
        known.update({k: (position, h) for k, position, h in connection.execute(statement, piece).fetchall()})
    return known
