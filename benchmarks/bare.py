"""The bare loops' side of SQLite: plain tables of an event's parts, with the pragmas and the durability of ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.rounds import Stopwatch
from tidings.events.codec import attributes_to_bytes
from tidings.events.envelope import Envelope

_TABLE = """CREATE TABLE log (pos INTEGER PRIMARY KEY, recorded INTEGER NOT NULL, source TEXT NOT NULL,
  id TEXT NOT NULL, type TEXT NOT NULL, dataversion INTEGER NOT NULL, subject TEXT, attrs BLOB NOT NULL,
  data BLOB) STRICT"""
_INSERT = f"INSERT INTO log VALUES ({','.join('?' * 9)})"
_FILLING = 1 << 20

Rows = list[tuple[Any, ...]]


def connect(path: Path) -> sqlite3.Connection:
    """Open a database as durable as ours, with the settings that were found fastest."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-65536")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA wal_autocheckpoint=10000")
    return connection


class BareLog:
    """A table in append order. `unique`: with a unique index over (source, id), else repeats are not noticed."""

    def __init__(self, path: Path, *, unique: bool = False) -> None:
        self._path = path
        self._connection = connect(path)
        self._connection.execute(_TABLE)
        self._insert = _INSERT
        if unique:
            self._connection.execute("CREATE UNIQUE INDEX log_identity ON log (source, id)")
            self._insert += " ON CONFLICT DO NOTHING"
        self._last = 0

    def rows(self, envelopes: Sequence[Envelope]) -> Rows:
        """Return the envelopes as the rows that come next: the loop is spared all work but SQLite's."""
        first = self._last + 1
        self._last += len(envelopes)
        return [
            (n, 0, of.source, of.id, of.type, of.version, of.subject, attributes_to_bytes(of), of.data)
            for n, of in enumerate(envelopes, first)
        ]

    def append(self, rows: Rows, *, batch: int, watch: Stopwatch) -> None:
        """Insert the rows, so many in one transaction."""
        following = iter(rows)
        while piece := list(islice(following, batch)):
            with watch:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany(self._insert, piece)
                self._connection.execute("COMMIT")

    def fill(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert the rows in this very order, hence into the same tree, but in memory and without a journal."""
        self._connection.close()
        filling = sqlite3.connect(self._path, isolation_level=None)
        filling.execute("PRAGMA journal_mode=OFF")
        filling.execute("PRAGMA synchronous=OFF")
        filling.execute(f"PRAGMA cache_size=-{_FILLING}")
        filling.execute("BEGIN")
        filling.executemany(self._insert, rows)
        filling.execute("COMMIT")
        filling.close()
        self._connection = connect(self._path)

    def count(self) -> int:
        [(count,)] = self._connection.execute("SELECT count(*) FROM log").fetchall()
        return int(count)

    def close(self) -> None:
        self._connection.close()
