"""Which (source, id) are kept, for ever: each key with its position and the mark of its content.

Keys in order of time stand in one table, at whose edge new ones are added. Opaque ones go into the hot run, small
enough that its pages are few; those of closed runs are met through filters in memory, so that a new key seldom costs a
look at a page of old ones.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tidings.backends.sqlite.multirow import add_rows
from tidings.backends.sqlite.seen_filter import Filter, Probe
from tidings.backends.sqlite.seen_key import Sought
from tidings.backends.sqlite.seen_run import count_in, filter_of, hot_of, runs_of, table_of
from tidings.backends.sqlite.statements import filled, values
from tidings.log.driver import Position

Known = dict[bytes, tuple[Position, int]]
"""Keys that are kept, with position and mark."""

TIMED = "tidings_seen_time"


class Seen:
    """Used inside the append's transaction, on the writer's thread. What it holds is what is committed."""

    def __init__(self) -> None:
        self.added = 0
        self.hot_entries = 0
        self._version = -1
        self._hot = ""
        self._filters: dict[int, Filter] = {}

    def catch_up(self, connection: sqlite3.Connection, version: int) -> bool:
        """Read the runs again if any process changed them since; say whether one did."""
        if version == self._version:
            return False
        runs = runs_of(connection)
        closed = [run.bucket for run in runs if run.state == "closed"]
        # A closed run never changes and its number is never used again, so its filter is read once.
        known = self._filters
        self._filters = {bucket: known.get(bucket) or filter_of(connection, bucket) for bucket in closed}
        self._hot = hot_of(runs).table
        self.hot_entries = count_in(connection, self._hot)
        self._version = version
        return True

    def take(self, connection: sqlite3.Connection, sought: Sought, positions: Sequence[Position]) -> Known:
        """Keep the keys that are new, at these positions, all above the head; return the others."""
        known = self._in_closed_runs(connection, [sought.keys[n] for n in sought.opaque])
        opaque = [n for n in sought.opaque if sought.keys[n] not in known] if known else sought.opaque
        added = 0
        for table, places in ((TIMED, sought.timed), (self._hot, opaque)):
            if places:
                added += _add(connection, table, sought, positions, places)
        self.hot_entries += len(opaque)
        self.added += len(opaque)
        if added < len(sought.timed) + len(opaque):
            for table, places in ((TIMED, sought.timed), (self._hot, opaque)):
                known |= _find(connection, table, [sought.keys[n] for n in places], below=positions[0])
        return known

    def forget(self, connection: sqlite3.Connection, sought: Sought, places: Sequence[int]) -> None:
        """Take back what `take` has just kept at these places."""
        opaque = frozenset(sought.opaque)
        for table, is_opaque in ((TIMED, False), (self._hot, True)):
            for piece in filled([sought.keys[n] for n in places if (n in opaque) == is_opaque], 1):
                connection.execute(f"DELETE FROM {table} WHERE k IN (VALUES {values(1, len(piece))})", piece)

    def _in_closed_runs(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> Known:
        known: Known = {}
        if keys and self._filters:
            probe = Probe(keys)
            for bucket, filter in self._filters.items():
                known |= _find(connection, table_of(bucket), probe.maybe_in(filter))
        return known


def find_anywhere(connection: sqlite3.Connection, sought: Sought) -> Known:
    """Return those of the keys that are kept, by the tables alone: for whoever reads. In one transaction."""
    known = _find(connection, TIMED, [sought.keys[n] for n in sought.timed])
    opaque = [sought.keys[n] for n in sought.opaque]
    for run in runs_of(connection) if opaque else ():
        if run.state in ("hot", "closed"):
            known |= _find(connection, run.table, opaque)
    return known


def _find(connection: sqlite3.Connection, table: str, keys: Sequence[bytes], *, below: Position | None = None) -> Known:
    known: Known = {}
    for piece in filled(keys, 1):
        statement = f"SELECT k, pos, h FROM {table} WHERE k IN (VALUES {values(1, len(piece))})"
        if below is None:
            rows = connection.execute(statement, piece)
        else:
            rows = connection.execute(f"{statement} AND pos < ?", (*piece, below))
        known.update({k: (pos, h) for k, pos, h in rows.fetchall()})
    return known


def _add(
    connection: sqlite3.Connection,
    table: str,
    sought: Sought,
    positions: Sequence[Position],
    places: Sequence[int],
) -> int:
    columns: tuple[Sequence[object], ...] = (sought.keys, positions, sought.marks)
    if len(places) < len(positions):
        columns = tuple([column[n] for n in places] for column in columns)
    return add_rows(connection, f"{table} (k, pos, h)", columns, tail="ON CONFLICT DO NOTHING")
