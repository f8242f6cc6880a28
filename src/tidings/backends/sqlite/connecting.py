"""How a connection to a file is made: with a write-ahead log, and durable as was asked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from tidings.errors import SchemaError

Synchronous = Literal["full", "normal"]

WRITER_CACHE_KIB, READER_CACHE_KIB = 56 * 1024, 16 * 1024
"""Pages that a connection keeps at most: the writer's is the larger part of what a long run holds in memory."""
BUSY_SECONDS = 5
"""How long a connection waits while another process writes."""
TURNS = 20
"""How often others may come first while a file is new."""
OLDEST_SQLITE = (3, 37)
"""The first release with STRICT tables."""


def check_release() -> None:
    """SchemaError where this Python has an older SQLite than is needed."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise SchemaError(
            f"this Python has SQLite {sqlite3.sqlite_version}, and tidings needs "
            f"{'.'.join(map(str, OLDEST_SQLITE))} or later: use another build of Python"
        )


def connected(path: str, synchronous: Synchronous, *, query_only: bool = False) -> sqlite3.Connection:
    """Return a connection to this file. SchemaError if no write-ahead log can be where it lies."""
    # Autocommit: we say BEGIN ourselves. The default would begin deferred and fail when two processes meet.
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    mode = _write_ahead(connection)
    if mode not in ("wal", "memory"):
        raise SchemaError(
            f"{path} cannot have a write-ahead log (SQLite says {mode!r}): put the database on a local disk"
        )
    connection.execute(f"PRAGMA synchronous={synchronous.upper()}")
    connection.execute("PRAGMA fullfsync=ON")  # only macOS heeds it
    connection.execute(f"PRAGMA cache_size=-{READER_CACHE_KIB if query_only else WRITER_CACHE_KIB}")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    if query_only:
        connection.execute("PRAGMA query_only=ON")
    return connection


def _write_ahead(connection: sqlite3.Connection) -> str:
    """Have changes written to a log first; return how they are.

    Of several processes that begin the log of a new file at once SQLite turns all but one away, whatever its timeout:
    waiting might be for each other. Who asks for the lock before anything else waits for it.
    """
    for _ in range(TURNS):
        with unless_busy():
            return _in_mode(connection)
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
    return _in_mode(connection)


def _in_mode(connection: sqlite3.Connection) -> str:
    [(mode,)] = connection.execute("PRAGMA journal_mode=WAL").fetchall()
    return str(mode)


@contextmanager
def unless_busy() -> Iterator[None]:
    """End the block, and go on behind it, where another process holds the lock."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
