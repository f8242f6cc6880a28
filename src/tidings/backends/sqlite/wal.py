"""When the write-ahead log is taken into the file: at once when it has grown long, and when nobody writes for a while.

Releases of SQLite before 3.51.3 can corrupt a file when a commit meets a second checkpoint after a complete one. So
SQLite never does it by itself here: it is done on a connection of its own while the writer holds an empty transaction,
and no commit, of this process or another, can come between.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any

LONG_PAGES = 10_000
WORTH_PAGES = 1_000
PAGE_BYTES = 4_096
QUIET_SECONDS = 0.05


_MENDED = ((3, 44, 6), (3, 50, 7), (3, 51, 3))


def caution_with(version: tuple[int, int, int]) -> str | None:
    """Return what an operator must heed with this version of SQLite; None if nothing."""
    if version >= _MENDED[-1] or any(version[:2] == mended[:2] and version >= mended for mended in _MENDED):
        return None
    return (
        "this version can corrupt a file when two programs check its journal in at once, which tidings never does: "
        "let no other program write the database while tidings runs, or use SQLite 3.51.3 or later"
    )


class Wal:
    """The write-ahead log of one file, itself the file `path`. `checkpointer`: a connection that nobody else uses."""

    def __init__(self, checkpointer: sqlite3.Connection, path: str) -> None:
        self._checkpointer = checkpointer
        self._path = path
        self._size = 0
        self._base = 0
        self._changes = 0
        self._pages_per_change = 0.5

    @property
    def pages(self) -> float:
        """About how many pages it holds: SQLite tells only when it is taken in, so it is guessed from the changes.

        Its file does not shrink when it is taken in, but is written anew from its start. So if the file has grown
        since, all of it is new.
        """
        guessed = (self._changes - self._base) * self._pages_per_change
        size = self._size_now()
        return max(guessed, size / PAGE_BYTES) if size > self._size else guessed

    def _size_now(self) -> int:
        try:
            return os.stat(self._path).st_size
        except OSError:
            return 0

    def committed(self, connection: sqlite3.Connection) -> None:
        """Be told, on the writer's thread, of a commit by the writer; take it in if it has grown long."""
        self._changes = connection.total_changes
        if self.pages >= LONG_PAGES:
            self.take_in(connection)

    def take_in(self, connection: sqlite3.Connection) -> None:
        """Copy it into the file, on the writer's thread. What cannot be done now is done after a later commit."""
        with suppress(sqlite3.Error):
            connection.execute("BEGIN IMMEDIATE")
            try:
                _, frames, _ = self._checkpointer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self._taken_in(frames)
            finally:
                connection.execute("ROLLBACK")

    def _taken_in(self, frames: int) -> None:
        changes = self._changes - self._base
        if changes > 0 and frames > 0:
            self._pages_per_change = max(0.05, frames / changes)
        self._base = self._changes
        self._size = self._size_now()

    def close(self) -> None:
        self._checkpointer.close()


class Quiet:
    """Has the write-ahead log taken in by `take_in` once nobody has written for a while. Used on the event loop."""

    def __init__(self, wal: Wal, take_in: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._wal = wal
        self._take_in = take_in
        self._writes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def written(self) -> None:
        """Be told of a write."""
        self._writes += 1
        if self._timer is None and self._wal.pages >= WORTH_PAGES:
            self._wait(asyncio.get_running_loop())

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(QUIET_SECONDS, self._look, loop, self._writes)

    def _look(self, loop: asyncio.AbstractEventLoop, writes: int) -> None:
        self._timer = None
        if writes != self._writes:
            self._wait(loop)
        elif self._wal.pages >= WORTH_PAGES and (self._task is None or self._task.done()):
            self._task = loop.create_task(self._take_in(), context=Context())

    async def stop(self) -> None:
        """Let no other begin, and wait for one under way."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])
