"""Which receipt has a key: the newest keys in a row for each unit, and in memory; all older ones in a table of them.

Strangers choose keys, so in the order of keys each of them is another page to write: half of what a webhook costs.
Here they gather, in the order in which they come, until there are so many that each page is written for several: of
32,768, in a table of a million, for five. Then units move some at a time, in the order of keys. One that is moved is in
both places until all are.

A receipt that is forgotten leaves its key where it is while that is among the newest. So whoever finds a key looks for
its receipt, and a key whose receipt is gone may be taken again.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tidings.backends.sqlite.multirow import add_rows
from tidings.backends.sqlite.seen_hot import Hot, records_in
from tidings.backends.sqlite.seen_record import RECORD_BYTES, fields_of, split
from tidings.backends.sqlite.statements import filled, values
from tidings.log.seen_key import KEY_BYTES, Keys

NEWEST = "tidings_receipt_hot"
TABLE = "tidings_receipt_key"
STEP = 8  # of a statement's keys: each is a look into the table, also a repeated one
MOVED_FOR_ONE = 2
"""So many are moved for each that is taken: so those that come meanwhile are half of those that are moved."""

_UNLESS_THERE = (
    "ON CONFLICT (k) DO UPDATE SET n = excluded.n "
    f"WHERE NOT EXISTS (SELECT 1 FROM tidings_receipt r WHERE r.n = {TABLE}.n)"
)


@dataclass(slots=True)
class _Moving:
    """Records in the order of keys, those of all rows up to `upto`. `done`: how many are moved by what is committed.

    `now`: how many are by the transaction of this number.
    """

    records: Sequence[bytes]
    upto: int
    done: int = 0
    now: int = 0
    number: int = -1


class ReceiptKeys:
    """Used by whoever holds the writer, in its transactions. `transaction` returns the number of the one that is open.

    `newest_max`: so many gather before they are moved.
    """

    def __init__(self, keys: Keys, transaction: Callable[[], int], *, newest_max: int) -> None:
        self._keys = keys
        self._number = transaction
        self._newest = Hot(transaction, table=NEWEST)
        self._newest_max = newest_max
        self._moving: _Moving | None = None

    def of(self, source: str, key: str) -> bytes:
        """Return the 16 bytes that stand for a key of a source."""
        return self._keys.key(source, key)[0]

    def of_all(self, places: Sequence[tuple[str, str]]) -> Sequence[bytes]:
        """Return what stands for each of these (source, key), in their order."""
        return self._keys.keys(places)

    def find(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> Mapping[bytes, Sequence[int]]:
        """Return the numbers of the receipts that may have these keys: at most one of each is still there."""
        self._newest.catch_up(connection)
        return _joined(connection, keys, self._newest.find(connection, keys).items())

    def take(self, connection: sqlite3.Connection, keys: Sequence[bytes], numbers: Sequence[int]) -> None:
        """Have these receipts, whose numbers rise and are new, have these keys, which nobody has.

        Asked after `find`, once in a transaction."""
        if self._moving is None and len(self._newest) >= self._newest_max:
            self._moving = _gathered(connection)  # before more are taken, which may be rolled back
        self._newest.take(connection, keys, numbers)
        if self._moving is not None:
            self._move(connection, self._moving, MOVED_FOR_ONE * len(keys))

    def put(self, connection: sqlite3.Connection, keys: Sequence[bytes], n: int) -> None:
        """Have a receipt that is there already have more keys, which nobody has."""
        add_rows(connection, f"{TABLE} (k, n)", (keys, [n] * len(keys)), tail=_UNLESS_THERE)

    def remove(self, connection: sqlite3.Connection, pairs: Sequence[tuple[bytes, int]]) -> None:
        """Take away the keys of receipts that are gone; those among the newest stay for now."""
        connection.executemany(f"DELETE FROM {TABLE} WHERE k = ? AND n = ?", pairs)

    def committed(self) -> None:
        """Be told, on the writer's thread, that the transaction which is open has been committed."""
        self._newest.committed()
        moving = self._moving
        if moving is None or moving.number != self._number():
            return
        moving.done = moving.now
        if moving.done == len(moving.records):
            self._newest.left(moving.upto)
            self._moving = None

    def _move(self, connection: sqlite3.Connection, moving: _Moving, count: int) -> None:
        some = moving.records[moving.done : moving.done + count]
        moving.now, moving.number = moving.done + len(some), self._number()
        add_rows(connection, f"{TABLE} (k, n)", fields_of(some), tail=_UNLESS_THERE)
        if moving.now == len(moving.records):
            connection.execute(f"DELETE FROM {NEWEST} WHERE pos <= ?", (moving.upto,))


def find_anywhere(connection: sqlite3.Connection, keys: Sequence[bytes]) -> Mapping[bytes, Sequence[int]]:
    """Return what `ReceiptKeys.find` does, by the tables alone: for whoever reads. In one transaction."""
    records, wanted = split(records_in(connection, NEWEST)), frozenset(keys)
    newest = zip(*fields_of([record for record in records if record[:KEY_BYTES] in wanted]), strict=True)
    return _joined(connection, keys, newest)


def _joined(
    connection: sqlite3.Connection, keys: Sequence[bytes], newest: Iterable[tuple[bytes, int]]
) -> Mapping[bytes, Sequence[int]]:
    """Return the numbers that were found among the newest, and those in the table of all others."""
    found: defaultdict[bytes, list[int]] = defaultdict(list)
    for key, n in newest:
        found[key].append(n)
    for piece in filled(keys, 1, step=STEP):
        statement = f"SELECT k, n FROM {TABLE} WHERE k IN (VALUES {values(1, len(piece))})"
        for key, n in connection.execute(statement, piece).fetchall():
            found[key].append(n)
    return found


def _gathered(connection: sqlite3.Connection) -> _Moving:
    """Return what is to be moved: all that have gathered, but for those of receipts older than any that is there."""
    [(oldest,)] = connection.execute("SELECT coalesce(min(n), 0) FROM tidings_receipt").fetchall()
    [(upto,)] = connection.execute(f"SELECT coalesce(max(pos), 0) FROM {NEWEST}").fetchall()
    least = oldest.to_bytes(RECORD_BYTES - KEY_BYTES, "big")
    records = [record for record in split(records_in(connection, NEWEST)) if record[KEY_BYTES:] >= least]
    records.sort()
    return _Moving(records, upto)
