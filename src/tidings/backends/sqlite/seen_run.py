"""The runs of opaque keys: slices of a table, and a row about each run.

New keys go into the hot run. At a size it is closed: it gets no more keys. Runs of one level are merged into one of the
next, so that there are few. A run is cut into slices, equal ranges of keys, each one value in which its records stand
one after the other. A merge moves them, some slices at a time, so the keys of a run that is being merged are in its own
slices or in those of its target. Buckets are numbered by `seen_version`, which rises with every one, so no number is
ever used twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Literal

from tidings.backends.sqlite.multirow import add_rows
from tidings.backends.sqlite.seen_record import NUMBER_BITS, Known, find_in, number_of
from tidings.backends.sqlite.statements import filled, values

State = Literal["closed", "building", "spent"]
TABLE = "tidings_seen_slice"
FILTER = "tidings_seen_filter"

_SLICE_BITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """`hot`: how many hot keys become a run; `fan_in`: runs that are merged into one; `slice`: about how many keys
    stand in one; `step`: about how many are moved at a time; `pace`: a step is due for so many new keys. `receipts`:
    how many keys of receipts gather before they are moved, which see `receipt_keys`.

    `slice` and `step` are powers of two. `hot` lies half-way between two, so that a run's filter, whose size is one, is
    about the same for each run of a level.
    """

    hot: int = 3 << 14
    fan_in: int = 8
    slice: int = 1 << 9
    step: int = 1 << 12
    pace: int = 3 << 8
    receipts: int = 1 << 15


SIZES = Sizes()


@dataclass(frozen=True, slots=True)
class Run:
    """A row about a run. `slices`: a power of two, of which `done` are moved here so far; `target`: the bucket that it
    is merged into."""

    bucket: int
    level: int
    state: State
    entries: int
    slices: int
    done: int
    target: int | None

    def place(self, slice: int) -> int:
        """Return where a slice stands in the table of all slices, and a piece of the filter that begins there."""
        return self.bucket << _SLICE_BITS | slice

    def place_of(self, key: bytes) -> int:
        """Return where the slice stands that this key would be in."""
        return self.place(number_of(key) >> NUMBER_BITS - self.slices.bit_length() + 1)


def slices_for(entries: int, *, each: int) -> int:
    """Return into how many slices so many keys go: a power of two, with about so many keys in each."""
    return 1 << max(0, round(log2(max(1, entries) / each)))


def runs_of(connection: sqlite3.Connection) -> list[Run]:
    """Return all runs, oldest first."""
    statement = "SELECT bucket, level, state, entries, slices, done, target FROM tidings_seen_run ORDER BY bucket"
    return [Run(*row) for row in connection.execute(statement).fetchall()]


def add_run(connection: sqlite3.Connection, run: Run) -> None:
    connection.execute(
        "INSERT INTO tidings_seen_run (bucket, level, state, entries, slices, done, target) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (run.bucket, run.level, run.state, run.entries, run.slices, run.done, run.target),
    )


def next_bucket(connection: sqlite3.Connection) -> int:
    """Return a bucket that no run ever had, and have every process read the runs again."""
    statement = "UPDATE tidings_head SET seen_version = seen_version + 1 RETURNING seen_version"
    [(bucket,)] = connection.execute(statement).fetchall()
    return int(bucket)


def add_slices(connection: sqlite3.Connection, run: Run, first: int, slices: Sequence[bytes]) -> None:
    """Keep the records of these slices of a run, from the `first` on."""
    places = range(run.place(first), run.place(first + len(slices)))
    add_rows(connection, f"{TABLE} (place, records)", (places, slices))


def slices_of(connection: sqlite3.Connection, run: Run, first: int, count: int) -> list[tuple[int, bytes]]:
    """Return those of a range of slices that are there: the number and the records of each."""
    bounds = run.place(first), run.place(first + count)
    rows = connection.execute(f"SELECT place, records FROM {TABLE} WHERE place >= ? AND place < ?", bounds).fetchall()
    return [(place - run.place(0), records) for place, records in rows]


def records_in(connection: sqlite3.Connection, run: Run) -> bytes:
    """Return all records that are in a run so far."""
    return b"".join([records for _, records in slices_of(connection, run, 0, run.slices)])


def remove_slices(connection: sqlite3.Connection, run: Run, first: int, count: int) -> None:
    bounds = run.place(first), run.place(first + count)
    connection.execute(f"DELETE FROM {TABLE} WHERE place >= ? AND place < ?", bounds)


def add_piece(connection: sqlite3.Connection, run: Run, first: int, words: bytes) -> None:
    """Keep the piece of a run's filter that begins with slice `first`."""
    connection.execute(f"INSERT INTO {FILTER} (place, words) VALUES (?, ?)", (run.place(first), words))


def pieces_of(connection: sqlite3.Connection, run: Run) -> list[bytes]:
    statement = f"SELECT words FROM {FILTER} WHERE place >= ? AND place < ? ORDER BY place"
    rows = connection.execute(statement, (run.place(0), run.place(run.slices))).fetchall()
    return [words for (words,) in rows]


def remove_pieces(connection: sqlite3.Connection, run: Run, most: int) -> int:
    """Remove some pieces of a run's filter; return how many."""
    some = f"SELECT place FROM {FILTER} WHERE place >= ? AND place < ? LIMIT ?"
    bounds = run.place(0), run.place(run.slices)
    return connection.execute(f"DELETE FROM {FILTER} WHERE place IN ({some})", (*bounds, most)).rowcount


def find_in_slices(connection: sqlite3.Connection, wanted: Mapping[int, Iterable[bytes]]) -> Known:
    """Return those keys that are kept. `wanted`: the keys to be looked for in the slice at each place."""
    known: Known = {}
    for piece in filled(list(wanted), 1):
        statement = f"SELECT place, records FROM {TABLE} WHERE place IN (VALUES {values(1, len(piece))})"
        for place, records in connection.execute(statement, piece).fetchall():
            known.update({key: at for key in wanted[place] if (at := find_in(records, key))})
    return known
