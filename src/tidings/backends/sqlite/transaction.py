"""A transaction that holds the writer of a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]


class Hop(Protocol):
    """Runs a job on the writer's thread."""

    async def __call__(self, job: Job[T]) -> T: ...


class Transaction:
    """A transaction that holds the writer. Each `run` is one hop to its thread.

    BEGIN goes with the first job, and `commit` is the last act of one, since a hop costs more than either.
    """

    __slots__ = ("_begin", "_begin_at_once", "_commit", "_failure", "_hop", "_put_off", "has_begun", "is_open")

    def __init__(
        self, *, hop: Hop, begin: Job[None], begin_at_once: Callable[[], sqlite3.Connection | None], commit: Job[None]
    ) -> None:
        self._hop = hop
        self._begin = begin
        self._begin_at_once = begin_at_once
        self._commit = commit
        self._put_off: list[Job[object]] = []
        self.is_open = True
        self.has_begun = False
        self._failure: Exception | None = None

    def put_off(self, job: Job[object]) -> None:
        """Have a job run right before the next one. If it fails, so does that one and all that follow, until `undo`."""
        self._put_off.append(job)

    def undo(self) -> None:
        """Forget what was put off and what failed of it, since all of it is being undone."""
        self._put_off.clear()
        self._failure = None

    async def catch_up(self) -> None:
        """Run the jobs that were put off now."""
        if self._put_off:
            await self.run(_pass)

    async def run(self, job: Job[T]) -> T:
        is_first, self.has_begun = not self.has_begun, True
        before, self._put_off = self._put_off, []

        def whole(connection: sqlite3.Connection) -> T:
            if is_first:
                self._begin(connection)
            self._run_all(before, connection)
            return job(connection)

        return await self._hop(whole)

    def begin_here(self) -> sqlite3.Connection | None:
        """Begin on the caller's thread, and return the writer for a job that takes little time; a later `run` commits.

        None if that would wait for another process, or if something was done or put off already: `run` the job then.
        """
        if self.has_begun or self._put_off:
            return None
        writer = self._begin_at_once()
        self.has_begun = writer is not None
        return writer

    def _run_all(self, jobs: list[Job[object]], connection: sqlite3.Connection) -> None:
        if self._failure is not None:  # whoever met it may have gone on as if nothing were wrong
            raise self._failure
        try:
            for job in jobs:
                job(connection)
        except Exception as error:
            self._failure = error
            raise

    def commit(self, connection: sqlite3.Connection) -> None:
        """Keep all that was done: the last act of the last job."""
        self._commit(connection)
        self.is_open = False


def _pass(connection: sqlite3.Connection) -> None:
    return None
