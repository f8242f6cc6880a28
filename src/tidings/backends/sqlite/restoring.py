"""What is done once to a log that was restored from an older copy, while nobody uses it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from secrets import token_hex

from tidings.backends.sqlite import audit
from tidings.backends.sqlite.migrating import not_opened
from tidings.backends.sqlite.schema import prepare
from tidings.errors import RefusedError
from tidings.log.lives import APART, STOP_FIRST, Life
from tidings.ports import Clock
from tidings.store.audit import Change


def life_of(path: str) -> Life:
    """Return the life that the log has now. RefusedError if somebody uses it; SchemaError; StoreUnavailableError."""
    with _at_rest(path) as connection:
        return _life(connection)


def begin_life(path: str, clock: Clock, *, who: str) -> Life:
    """Give the log another incarnation, and have it go on far behind what it has. Errors as `life_of`."""
    with _at_rest(path) as connection:
        before = _life(connection)
        life = Life(token_hex(4), before.after + APART)
        connection.execute("UPDATE tidings_head SET incarnation = ?, pos = ?", (life.incarnation, life.after))
        change = Change(
            who=who, what="restored", on=life.incarnation, position=life.after, reason=f"was {before.incarnation}"
        )
        audit.note(connection, change, now=clock.now_us())
        return life


def _life(connection: sqlite3.Connection) -> Life:
    return Life(*connection.execute("SELECT incarnation, pos FROM tidings_head").fetchone())


@contextmanager
def _at_rest(path: str) -> Iterator[sqlite3.Connection]:
    """One transaction that has the file to itself, kept on leaving: whoever else had it open would be in its way."""
    try:
        with closing(sqlite3.connect(path, timeout=2, isolation_level=None)) as connection:
            _lock(connection, path)
            with connection:
                yield connection
    except sqlite3.Error as error:
        raise not_opened(path, error) from error


def _lock(connection: sqlite3.Connection, path: str) -> None:
    try:
        # Asked for before anything is read, so that the lock is on the whole file: a connection that is open and idle
        # holds a share of it.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=ON")  # only macOS heeds it
        prepare(connection, path)
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
            raise
        raise RefusedError(f"another program has {path} open: {STOP_FIRST}") from error
