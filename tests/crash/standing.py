"""How everything stands when something has not come to its end: asked while the processes still run."""

from __future__ import annotations

import asyncio

import asyncpg

from tests.crash.fleet import Fleet
from tests.postgres.server import Server as Postgres

SESSIONS = """SELECT pid, application_name, state, wait_event_type, wait_event, now() - xact_start AS begun,
now() - query_start AS asked, pg_blocking_pids(pid) AS waits_for, left(query, 160) AS query
FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY query_start"""
LOCKS = """SELECT pid, locktype, mode, granted, classid, objid, relation::regclass FROM pg_locks
WHERE locktype = 'advisory' OR NOT granted ORDER BY pid"""
SECONDS = 20.0


async def stands(killing: Fleet) -> str:
    """Return what each process says last, with the stacks of its threads and tasks, and who waits in PostgreSQL."""
    told = await asyncio.gather(*(each.stacks() for each in killing.processes))
    database = [] if killing.postgres is None else [await _sessions(killing.postgres)]
    return "\n".join([*told, *database])


async def _sessions(postgres: Postgres) -> str:
    try:
        connection = await asyncpg.connect(postgres.url("postgres"), timeout=SECONDS)
        rows = [row for query in (SESSIONS, LOCKS) for row in await connection.fetch(query, timeout=SECONDS)]
        await connection.close()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"PostgreSQL says nothing: {type(error).__name__}: {error}"
    return "\n".join(str(dict(row)) for row in rows)
