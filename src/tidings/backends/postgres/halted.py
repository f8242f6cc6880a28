"""Sessions of ours whose process stands still in the middle of a COPY, stopped or frozen: who waits ends them.

Between two statements PostgreSQL itself ends a transaction that stands still (`IDLE_SECONDS`). In the middle of a COPY
it waits for its client for as long as the connection lives, and that of a stopped process does: the kernel answers for
it. What the transaction holds, a hole in the log or rows of a view, is held as long. With its session it is rolled
back, so nothing is lost that anybody was told is kept.

Where the reasoning stops holding: a process that runs, and of which nothing arrives between two looks, is taken for one
that stands still. It finds its connection gone, and repeats what it did.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from math import inf

import asyncpg

from tidings.backends.postgres.connection import APPLICATION, Connection
from tidings.backends.postgres.failures import DRIVER_ERRORS
from tidings.backends.postgres.locks import ORDER

HELD_SECONDS = 5.0
"""How long readers have waited for a hole before they look at who holds it."""
APART_SECONDS = 10.0
"""How long a session stands still, from one look to the next, before it is ended: as long as between two statements."""
LOOK_SECONDS = 2.0

HOLDERS = f"""EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = c.pid AND l.locktype = 'advisory'
  AND l.classid = {ORDER} AND l.objid = 1 AND l.objsubid = 2 AND l.granted AND l.database = c.datid)"""
"""Those that hold ORDER: nobody else can make a hole."""
MAKERS = f"""a.application_name = '{APPLICATION}' AND c.relid IN (SELECT t.oid FROM pg_catalog.pg_class t
  JOIN pg_catalog.pg_namespace s ON s.oid = t.relnamespace WHERE s.nspname IN (SELECT service FROM tidings.view))"""
"""Those that make rows of views."""

# Of another role's session all is NULL but who it is. Each session holds the lock of its own virtual transaction.
_COPIES = """
SELECT c.pid, v.virtualtransaction AS transaction, a.query_start AS since, c.bytes_processed AS bytes,
  a.wait_event IS NOT DISTINCT FROM 'ClientRead' AS waits
FROM pg_catalog.pg_stat_progress_copy c
JOIN pg_catalog.pg_stat_activity a ON a.pid = c.pid
JOIN pg_catalog.pg_locks v ON v.pid = c.pid AND v.locktype = 'virtualxid' AND v.mode = 'ExclusiveLock'
WHERE c.datname = current_database() AND c.pid <> pg_backend_pid()
  AND coalesce(c.command, 'COPY FROM') = 'COPY FROM' AND coalesce(c.type, 'PIPE') = 'PIPE' AND {whose}
"""
# Looked at once more: it may have gone on since the look.
_END = (
    "SELECT pg_terminate_backend(s.pid) FROM ({copies}) AS s WHERE s.waits "
    "AND s.pid = $1 AND s.transaction = $2 AND s.since = $3 AND s.bytes = $4"
)

_log = logging.getLogger("tidings.postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copying:
    """A session in the middle of a COPY from its client, as one look saw it.

    `transaction`: its virtual id; `since`: when the COPY began; `bytes`: how much of it the server has taken in; None,
    as is `since`, of a session that this role may not look into. `waits`: whether it waits for its client.
    """

    pid: int
    transaction: str
    since: datetime | None
    bytes: int | None
    waits: bool


def standing_still(before: Sequence[Copying], now: Sequence[Copying]) -> list[Copying]:
    """Return those that waited for their client at both looks, of which nothing came in between: they are to be ended.

    One that waits for anything else, as for a lock or a disk, is none of them, nor is a slow one.
    """
    return [each for each in now if each.waits and each.bytes is not None and each in before]


def unseen(before: Sequence[Copying], now: Sequence[Copying]) -> list[Copying]:
    """Return those that were there at both looks, and into which this role may not look."""
    return [each for each in now if each.bytes is None and each in before]


class Watch:
    """Ends those of the sessions `whose` (SQL: `HOLDERS` or `MAKERS`) that stand still, while somebody has it look."""

    def __init__(self, whose: str) -> None:
        self._copies = _COPIES.format(whose=whose)
        self._end = _END.format(copies=self._copies)
        self._before: Sequence[Copying] = ()
        self._next = -inf
        self._told: set[tuple[int, str]] = set()

    async def look(self, connection: Connection, now: float) -> None:
        """Look, if it is time again, and end who stands still. `now`: seconds of a clock that is never set.

        Outside any transaction. What fails is tried again at the next look: whoever asks has work of his own.
        """
        if now < self._next:
            return
        self._next = now + APART_SECONDS
        with suppress(*DRIVER_ERRORS):
            before = self._before
            found = await connection.fetch(self._copies, timeout=LOOK_SECONDS)
            self._before = [Copying(**dict(row)) for row in found]
            for each in standing_still(before, self._before):
                await self._have_ended(connection, each)
            for each in unseen(before, self._before):
                self._tell(each, "belongs to another role, so nobody here sees whether it stands still")

    async def _have_ended(self, connection: Connection, each: Copying) -> None:
        given = each.pid, each.transaction, each.since, each.bytes
        try:
            if await connection.fetchval(self._end, *given, timeout=LOOK_SECONDS):
                _log.warning(
                    "ended the PostgreSQL session of process %d: its client had stood still in the middle of a COPY "
                    "for %g seconds, and held others up",
                    each.pid,
                    APART_SECONDS,
                )
        except asyncpg.InsufficientPrivilegeError:
            self._tell(each, "stands still, and belongs to a role whose sessions may not be ended from here")

    def _tell(self, each: Copying, why: str) -> None:
        """Warn, once for each transaction."""
        if (each.pid, each.transaction) not in self._told:
            self._told.add((each.pid, each.transaction))
            _log.warning(
                "the PostgreSQL session of process %d holds others up in the middle of a COPY. It %s: see to its "
                "client, or run `SELECT pg_terminate_backend(%d)` as its role",
                each.pid,
                why,
                each.pid,
            )
