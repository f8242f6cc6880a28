"""Closing the hot run, merging closed ones, taking down what was merged: step by step, each short, each a transaction.

Everything a step needs to know stands in the database, so any process may do the next one, also after a crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tidings.backends.sqlite.seen_filter import piece_of, words_for
from tidings.backends.sqlite.seen_hot import TABLE as HOT
from tidings.backends.sqlite.seen_hot import entries_in, records_in
from tidings.backends.sqlite.seen_record import cut, numbers_of
from tidings.backends.sqlite.seen_run import (
    Run,
    Sizes,
    add_piece,
    add_run,
    add_slices,
    next_bucket,
    remove_pieces,
    remove_slices,
    runs_of,
    slices_for,
    slices_of,
)
from tidings.ports import Points

PIECES_AT_ONCE = 64
"""Pieces of a spent run's filter that are removed in one step: a large one removed whole would be a long pause."""


class Upkeep:
    """The steps. All runs in a transaction of the caller's."""

    def __init__(self, sizes: Sizes, points: Points) -> None:
        self._sizes = sizes
        self._points = points

    def step(self, connection: sqlite3.Connection) -> bool:
        """Do what is due next; False if nothing is."""
        if self._close(connection):
            return True
        runs = runs_of(connection)
        return self._merge(connection, runs) or self._drop(connection, runs)

    def _close(self, connection: sqlite3.Connection) -> bool:
        """Make the hot run a closed one, cut as finely as what it is merged into: then slices are just joined."""
        entries = entries_in(connection)
        if entries < self._sizes.hot:
            return False
        slices = slices_for(self._sizes.hot * self._sizes.fan_in, each=self._sizes.slice)
        run = Run(next_bucket(connection), 0, "closed", entries, slices, slices, None)
        add_run(connection, run)
        add_slices(connection, run, 0, cut(records_in(connection), slices=slices, first=0, count=slices))
        connection.execute(f"DELETE FROM {HOT}")
        self._points.at("run:closed")
        return True

    def _merge(self, connection: sqlite3.Connection, runs: Sequence[Run]) -> bool:
        """Work on the lowest level at which there is something to merge: most of the runs come in there."""
        for level in sorted({run.level for run in runs}):
            building = next((run for run in runs if run.state == "building" and run.level == level + 1), None)
            if building is not None:
                self._move(connection, building, [run for run in runs if run.target == building.bucket])
                return True
            ready = [run for run in runs if run.state == "closed" and run.level == level and run.target is None]
            if len(ready) >= self._sizes.fan_in:
                self._begin(connection, ready)
                return True
        return False

    def _begin(self, connection: sqlite3.Connection, sources: Sequence[Run]) -> None:
        """Merge all of a level's runs: small ones share a filter, which would have to be made anew for those left."""
        bucket, entries = next_bucket(connection), sum(run.entries for run in sources)
        slices = max(slices_for(entries, each=self._sizes.slice), *[run.slices for run in sources])
        add_run(connection, Run(bucket, sources[0].level + 1, "building", entries, slices, 0, None))
        for run in sources:
            connection.execute("UPDATE tidings_seen_run SET target = ? WHERE bucket = ?", (bucket, run.bucket))

    def _move(self, connection: sqlite3.Connection, building: Run, sources: Sequence[Run]) -> None:
        """Move the next slices, and make the piece of the filter that belongs to them."""
        first, words = building.done, max(words_for(building.entries), building.slices)
        count = self._slices_at_once(building, sources)
        slices = _taken(connection, sources, first=first, count=count, slices=building.slices)
        add_slices(connection, building, first, slices)
        each = words // building.slices
        piece = piece_of(numbers_of(b"".join(slices)), first=first * each, count=count * each, words=words)
        add_piece(connection, building, first, piece)
        connection.execute("UPDATE tidings_seen_run SET done = ? WHERE bucket = ?", (first + count, building.bucket))
        self._points.at("run:slice")
        if first + count == building.slices:
            self._finish(connection, building.bucket)

    def _slices_at_once(self, building: Run, sources: Sequence[Run]) -> int:
        """Return a power of two, with at least a whole slice of each source."""
        coarsest = min(run.slices for run in sources)
        return min(building.slices, max(self._sizes.step // self._sizes.slice, building.slices // coarsest))

    def _finish(self, connection: sqlite3.Connection, bucket: int) -> None:
        connection.execute("UPDATE tidings_seen_run SET state = 'spent' WHERE target = ?", (bucket,))
        connection.execute("UPDATE tidings_seen_run SET state = 'closed' WHERE bucket = ?", (bucket,))
        next_bucket(connection)
        self._points.at("run:merged")

    def _drop(self, connection: sqlite3.Connection, runs: Sequence[Run]) -> bool:
        """Take down a run whose slices were moved."""
        spent = next((run for run in runs if run.state == "spent"), None)
        if spent is None:
            return False
        if remove_pieces(connection, spent, PIECES_AT_ONCE) < PIECES_AT_ONCE:
            connection.execute("DELETE FROM tidings_seen_run WHERE bucket = ?", (spent.bucket,))
            self._points.at("run:dropped")
        return True


def _taken(
    connection: sqlite3.Connection, sources: Sequence[Run], *, first: int, count: int, slices: int
) -> list[bytes]:
    """Take a range of slices, `slices` making up all keys, out of the sources; return the records of each."""
    piles: list[list[bytes]] = [[] for _ in range(count)]
    for run in sources:
        begin, some = first * run.slices // slices, count * run.slices // slices
        found = slices_of(connection, run, begin, some)
        remove_slices(connection, run, begin, some)
        if run.slices == slices:
            for slice, records in found:
                piles[slice - first].append(records)
        else:
            joined = b"".join([records for _, records in found])
            for pile, records in zip(piles, cut(joined, slices=slices, first=first, count=count), strict=True):
                pile.append(records)
    return [b"".join(pile) for pile in piles]
