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
        self._kept: dict[bytes, Position] = {}
        self._upto: Position = 0
        self._taken: dict[bytes, Position] = {}
        self._last: Position = 0
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
        if anew:
            self._kept, self._upto = {}, 0
        elif self._is_committed and self._taken:
            self._kept |= self._taken
            self._upto = self._last
        self._taken, self._taken_in, self._is_committed = {}, self._number(), False
        rows = connection.execute(f"SELECT k, pos FROM {TABLE} WHERE pos > ? ORDER BY pos", (self._upto,)).fetchall()
        if rows:
            self._kept.update(rows)
            self._upto = rows[-1][1]

    def find(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> Known:
        """Return those of the keys that are kept, or were taken in this transaction."""
        wanted = frozenset(keys)
        found = [self._kept[key] for key in self._kept.keys() & wanted]
        found += [self._taken[key] for key in self._taken.keys() & wanted]
        known: Known = {}
        for piece in filled(found, 1):
            statement = f"SELECT k, pos, h FROM {TABLE} WHERE pos IN (VALUES {values(1, len(piece))})"
            known.update({k: (position, h) for k, position, h in connection.execute(statement, piece).fetchall()})
        return known

    def take(
        self, connection: sqlite3.Connection, keys: Sequence[bytes], positions: Sequence[Position], marks: Sequence[int]
    ) -> None:
        """Keep keys that `find` does not know, at these positions, which rise and are all above the head."""
        add_rows(connection, f"{TABLE} (pos, k, h)", (positions, keys, marks))
        self._taken.update(zip(keys, positions, strict=True))
        self._last = positions[-1]

    def forget(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> None:
        """Take back keys that were taken in this transaction."""
        gone = [self._taken.pop(key) for key in keys]
        self._last = max(self._taken.values(), default=self._upto)  # what was meant for the others is given out again
        for piece in filled(gone, 1):
            connection.execute(f"DELETE FROM {TABLE} WHERE pos IN (VALUES {values(1, len(piece))})", piece)


def find_in_table(connection: sqlite3.Connection, keys: Sequence[bytes]) -> Known:
    """Return those of the keys that are kept, by a look at all of the table, which is short: for whoever reads."""
    known: Known = {}
    for piece in filled(keys, 1):
        statement = f"SELECT k, pos, h FROM {TABLE} WHERE k IN (VALUES {values(1, len(piece))})"
        known.update({k: (position, h) for k, position, h in connection.execute(statement, piece).fetchall()})
    return known
