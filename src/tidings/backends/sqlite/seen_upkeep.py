"""Closing the hot run, merging closed ones, taking down what was merged: step by step, each short, each a transaction.

Everything a step needs to know stands in the database, so any process may do the next one, also after a crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from math import ceil, log2

from tidings.backends.sqlite.seen_filter import BITS_PER_KEY, WORD_BITS, piece_of
from tidings.backends.sqlite.seen_hot import TABLE as HOT
from tidings.backends.sqlite.seen_run import (
    Run,
    Sizes,
    add_run,
    count_in,
    keys_between,
    next_bucket,
    range_of,
    runs_of,
)
from tidings.ports import Points

DROPPED_AT_ONCE = 4
"""Slices of a spent run that are taken down in one step: a large table dropped whole would be a long pause."""


class Upkeep:
    """The steps. All runs in a transaction of the caller's."""

    def __init__(self, sizes: Sizes, points: Points) -> None:
        self._sizes = sizes
        self._points = points
        self._words = sizes.slice * BITS_PER_KEY // WORD_BITS

    def step(self, connection: sqlite3.Connection) -> bool:
        """Do what is due next; False if nothing is."""
        runs = runs_of(connection)
        return self._close(connection) or self._merge(connection, runs) or self._drop(connection, runs)

    def _close(self, connection: sqlite3.Connection) -> bool:
        entries = count_in(connection, HOT)
        if entries < self._sizes.hot:
            return False
        run = Run(next_bucket(connection), 0, "closed", entries, self._slices(entries), 0, None)
        add_run(connection, run)
        connection.execute(f"INSERT INTO {run.table} (k, pos, h) SELECT k, pos, h FROM {HOT} ORDER BY k")
        connection.execute(f"DELETE FROM {HOT}")
        self._points.at("run:closed")
        return True

    def _slices(self, entries: int) -> int:
        """Return into how many slices so many keys go: a power of two, each at most a fifth larger than usual."""
        return 1 << max(0, ceil(log2(max(1, entries) / self._sizes.slice) - 0.25))

    def _write_filter(self, connection: sqlite3.Connection, bucket: int, n: int, slices: int) -> None:
        table = f"tidings_seen_{bucket}"
        keys = keys_between(connection, table, *range_of(n, slices))
        shift = WORD_BITS - (slices * self._words).bit_length() + 1
        words = piece_of(keys, first=n * self._words, count=self._words, shift=shift)
        connection.execute(
            "INSERT INTO tidings_seen_filter (bucket, slice, words) VALUES (?, ?, ?)", (bucket, n, words)
        )

    def _merge(self, connection: sqlite3.Connection, runs: Sequence[Run]) -> bool:
        """Work on the lowest level at which there is something to merge: most of the runs come in there."""
        for level in sorted({run.level for run in runs}):
            building = next((run for run in runs if run.state == "building" and run.level == level + 1), None)
            if building is not None:
                self._move(connection, building, [run for run in runs if run.target == building.bucket])
                return True
            ready = [run for run in runs if run.state == "closed" and run.level == level and run.target is None]
            if len(ready) >= self._sizes.fan_in:
                self._begin(connection, ready[: self._sizes.fan_in])
                return True
        return False

    def _begin(self, connection: sqlite3.Connection, sources: Sequence[Run]) -> None:
        bucket, entries = next_bucket(connection), sum(run.entries for run in sources)
        add_run(connection, Run(bucket, sources[0].level + 1, "building", entries, self._slices(entries), 0, None))
        for run in sources:
            connection.execute("UPDATE tidings_seen_run SET target = ? WHERE bucket = ?", (bucket, run.bucket))

    def _move(self, connection: sqlite3.Connection, building: Run, sources: Sequence[Run]) -> None:
        """Copy the next range of keys. SQLite merges the sources, each in order already, without sorting."""
        ranges = " UNION ALL ".join(f"SELECT k, pos, h FROM {run.table} WHERE k >= ?1 AND k < ?2" for run in sources)
        first, end = range_of(building.done, building.slices)
        connection.execute(f"INSERT INTO {building.table} {ranges} ORDER BY k", (first, end))
        self._write_filter(connection, building.bucket, building.done, building.slices)
        connection.execute("UPDATE tidings_seen_run SET done = done + 1 WHERE bucket = ?", (building.bucket,))
        self._points.at("run:slice")
        if building.done + 1 == building.slices:
            self._finish(connection, building.bucket)

    def _finish(self, connection: sqlite3.Connection, bucket: int) -> None:
        connection.execute("UPDATE tidings_seen_run SET state = 'spent', done = 0 WHERE target = ?", (bucket,))
        connection.execute("UPDATE tidings_seen_run SET state = 'closed', done = 0 WHERE bucket = ?", (bucket,))
        next_bucket(connection)
        self._points.at("run:merged")

    def _drop(self, connection: sqlite3.Connection, runs: Sequence[Run]) -> bool:
        spent = next((run for run in runs if run.state == "spent"), None)
        if spent is None:
            return False
        done = spent.done + DROPPED_AT_ONCE
        if done < spent.slices:
            connection.execute(f"DELETE FROM {spent.table} WHERE k < ?", (range_of(done, spent.slices)[0],))
            connection.execute("UPDATE tidings_seen_run SET done = ? WHERE bucket = ?", (done, spent.bucket))
            return True
        connection.execute(f"DROP TABLE {spent.table}")
        connection.execute("DELETE FROM tidings_seen_filter WHERE bucket = ?", (spent.bucket,))
        connection.execute("DELETE FROM tidings_seen_run WHERE bucket = ?", (spent.bucket,))
        self._points.at("run:dropped")
        return True
