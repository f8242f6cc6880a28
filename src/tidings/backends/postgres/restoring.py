"""What is done once to a log that was restored from an older copy, while nobody uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tidings.backends.postgres import audit, locks
from tidings.backends.postgres.connection import APPLICATION, Connection
from tidings.backends.postgres.database import first_connection
from tidings.backends.postgres.migrations import prepare
from tidings.backends.postgres.rewound import DRAWN, USED
from tidings.backends.postgres.rooms import make_room
from tidings.errors import RefusedError
from tidings.log.lives import APART, STOP_FIRST, Life
from tidings.ports import Clock, is_gone
from tidings.settings import without_secrets
from tidings.store.audit import Change

_LOOKS = 20
_APART_SECONDS = 0.1

_LIFE = f"SELECT incarnation, greatest({DRAWN}, {USED}) AS after FROM tidings.head"
_MOVE = "SELECT setval('tidings.position', $1)"
_RENAME = "UPDATE tidings.head SET incarnation = left(gen_random_uuid()::text, 8) RETURNING incarnation"

# Whoever works through a pooler is seen by leases only: the pooler's idle connections keep the name of who was there.
_SESSIONS = """
SELECT count(*) FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()
"""
_LEASES = """
SELECT owner FROM tidings.checkpoint WHERE owner IS NOT NULL AND until > tidings.now_us(NULL)
UNION SELECT owner FROM tidings.asking WHERE until > tidings.now_us(NULL)
"""


async def life_of(url: str, clock: Clock) -> Life:
    """Return the life that the log has now. RefusedError if somebody uses it; other errors as `open_database`."""
    async with _at_rest(url, clock) as connection:
        return await _life(connection)


async def begin_life(url: str, clock: Clock, *, who: str) -> Life:
    """Give the log another incarnation, and have it go on far behind what it has. Errors as `life_of`."""
    async with _at_rest(url, clock) as connection, connection.transaction(isolation="read_committed"):
        await locks.alone(connection, locks.ORDER)  # nobody is about to use a position
        before = await _life(connection)
        after: int = await connection.fetchval(_MOVE, before.after + APART)
        await make_room(connection)
        incarnation: str = await connection.fetchval(_RENAME)
        change = Change(who=who, what="restored", on=incarnation, position=after, reason=f"was {before.incarnation}")
        await audit.note(connection, change, now=clock.now_us())
        return Life(incarnation, after)


async def _life(connection: Connection) -> Life:
    row = await connection.fetchrow(_LIFE)
    return Life(row["incarnation"], row["after"])


@asynccontextmanager
async def _at_rest(url: str, clock: Clock) -> AsyncIterator[Connection]:
    place = without_secrets(url)
    async with first_connection(url) as (connection, server):
        await prepare(connection, place, create=False)
        await _see_sessions_end(connection, place, clock, shown=not server.is_pooled)
        await _check_leases(connection, place)
        yield connection


async def _see_sessions_end(connection: Connection, place: str, clock: Clock, *, shown: bool) -> None:
    """RefusedError if sessions stay open. One that has just ended is shown for a moment more, and waited for."""
    for _ in range(_LOOKS if shown else 0):
        sessions: int = await connection.fetchval(_SESSIONS, APPLICATION)
        if not sessions:
            return
        await clock.sleep(_APART_SECONDS)
    if shown:
        raise RefusedError(f"{sessions} connections of tidings to {place} are open: {STOP_FIRST}")


async def _check_leases(connection: Connection, place: str) -> None:
    owners = sorted(owner for (owner,) in await connection.fetch(_LEASES) if not is_gone(owner))
    if owners:
        raise RefusedError(
            f"leases in {place} are held by {', '.join(owners)}: {STOP_FIRST}; those of one that was killed end within "
            "ten seconds"
        )
