"""The runs of opaque keys: tables of their own, and a row about each.

New keys go into the hot run. At a size it is closed: it never changes again, and has a filter. Runs of one level are
merged into one of the next, so that there are few; the merged run counts from the moment it is complete, and up to then
its sources do. Buckets are numbered by `seen_version`, which rises with every one, so no number is ever used twice.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from tidings.backends.sqlite.seen_filter import Filter
from tidings.backends.sqlite.seen_key import KEY_BYTES

State = Literal["closed", "building", "spent"]
KEY_END = b"\xff" * 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """`hot`: how many hot keys become a run; `fan_in`: runs that are merged into one; `slice`: about how many keys
    are moved at a time, a power of two, at least 4; `pace`: a slice is due for so many new keys."""

    hot: int = 1 << 14
    fan_in: int = 8
    slice: int = 1 << 12
    pace: int = 1 << 9


SIZES = Sizes()


@dataclass(frozen=True, slots=True)
class Run:
    """A row about a run. Its keys and its filter are made and taken down in `slices` equal ranges of keys, a power of
    two, of which `done` are; `target`: the bucket it is merged into."""

    bucket: int
    level: int
    state: State
    entries: int
    slices: int
    done: int
    target: int | None

    @property
    def table(self) -> str:
        return table_of(self.bucket)


def table_of(bucket: int) -> str:
    return f"tidings_seen_{bucket}"


def runs_of(connection: sqlite3.Connection) -> list[Run]:
    """Return all runs, oldest first."""
    statement = "SELECT bucket, level, state, entries, slices, done, target FROM tidings_seen_run ORDER BY bucket"
    return [Run(*row) for row in connection.execute(statement).fetchall()]


def add_run(connection: sqlite3.Connection, run: Run) -> None:
    """Make the run's table, and note it."""
    connection.execute(
        f"CREATE TABLE {run.table} (k BLOB PRIMARY KEY, pos INTEGER NOT NULL, h INTEGER NOT NULL) STRICT, WITHOUT ROWID"
    )
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


def range_of(part: int, parts: int) -> tuple[bytes, bytes]:
    """Return the first key and the end of a part of all keys. `parts`: a power of two."""
    width = (1 << 64) // parts
    return _bound(part * width), _bound((part + 1) * width)


def _bound(number: int) -> bytes:
    return number.to_bytes(8, "big") if number < 1 << 64 else KEY_END


def filter_of(connection: sqlite3.Connection, bucket: int) -> Filter:
    statement = "SELECT words FROM tidings_seen_filter WHERE bucket = ? ORDER BY slice"
    return Filter(words for (words,) in connection.execute(statement, (bucket,)).fetchall())


def keys_of(connection: sqlite3.Connection, run: Run) -> frozenset[bytes]:
    """Return all keys of a run, which should be a small one."""
    keys = keys_between(connection, run.table, b"", KEY_END)
    return frozenset([keys[start : start + KEY_BYTES] for start in range(0, len(keys), KEY_BYTES)])


def keys_between(connection: sqlite3.Connection, table: str, first: bytes, end: bytes) -> bytes:
    """Return the keys of a range, one after the other, as one value: a row each would be a step each."""
    statement = f"SELECT CAST(group_concat(k, '') AS BLOB) FROM {table} WHERE k >= ? AND k < ?"
    [(keys,)] = connection.execute(statement, (first, end)).fetchall()
    return keys or b""


def count_in(connection: sqlite3.Connection, table: str) -> int:
    [(count,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(count)
