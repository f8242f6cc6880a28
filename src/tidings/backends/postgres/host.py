"""The server that a PostgreSQL database is on, as far as it tells what an operator should know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidings.backends.postgres.connection import IDLE_SECONDS
from tidings.backends.postgres.database import Database
from tidings.backends.postgres.failures import DRIVER_ERRORS, described
from tidings.backends.postgres.locks import ORDER
from tidings.backends.postgres.server import Server, look, refusal
from tidings.ports import Clock
from tidings.store.host import Check

APART_SECONDS = 2.0
"""How far the two clocks may be apart: times in events are stamped by this one, leases go by the server's."""
SPARE_CONNECTIONS = 5
OPEN_SECONDS = 3_600
PREPARED_SECONDS = 60
FROZEN_AGE = 1_500_000_000

_STATE = f"""
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now,
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
  (SELECT pid FROM pg_stat_activity WHERE datname = current_database() ORDER BY xact_start LIMIT 1) AS oldest_pid,
  coalesce((SELECT extract(epoch FROM clock_timestamp() - min(xact_start)) FROM pg_stat_activity
    WHERE datname = current_database()), 0)::float8 AS oldest_seconds,
  (SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared LIMIT 1) AS prepared,
  coalesce((SELECT extract(epoch FROM clock_timestamp() - min(prepared)) FROM pg_prepared_xacts
    WHERE database = current_database()), 0)::float8 AS prepared_seconds,
  (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()) AS frozen_age,
  held.pid AS holder_pid, held.application_name AS holder_application, held.state_change AS holder_since,
  coalesce(extract(epoch FROM clock_timestamp() - held.state_change), 0)::float8 AS holder_seconds
FROM (VALUES (1)) AS one LEFT JOIN LATERAL (
  SELECT a.pid, a.application_name, a.state_change FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'advisory' AND l.classid = {ORDER} AND l.objid = 1 AND l.objsubid = 2 AND l.granted
    AND l.database = a.datid AND a.datname = current_database() ORDER BY a.state_change LIMIT 1) AS held ON true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One look at what goes on. `now`: the server's clock, µs since 1970; `most`: connections for such as us.

    `oldest_pid`, `oldest_seconds`: of the transaction that is open longest in this database; `prepared`,
    `prepared_seconds`: of the prepared one; `holder_…`: of the session in the middle of an append that has been at one
    statement, or between two, longest, as far as this role may see it; `frozen_age`: in transactions, of at most two
    thousand million.
    """

    now: int
    connections: int
    most: int
    oldest_pid: int | None
    oldest_seconds: float
    prepared: str | None
    prepared_seconds: float
    holder_pid: int | None
    holder_application: str | None
    holder_since: datetime | None
    holder_seconds: float
    frozen_age: int


class PostgresHost:
    """See `tidings.store.host.Host`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @property
    def hole_seconds(self) -> float:
        return self._database.hole.seconds

    async def problem(self) -> str | None:
        # As the log's last look saw it. That a server is not there, or takes no writes, log and store find themselves.
        return refusal(self._database.server)

    async def look(self) -> Sequence[Check]:
        try:
            async with self._database.connection() as connection:
                server = await look(connection)
                before = self._clock.now_us()
                state = State(**dict(await connection.fetchrow(_STATE) or {}))
                here = (before + self._clock.now_us()) // 2
        except DRIVER_ERRORS as error:
            return (Check("server", f"it cannot be asked ({described(error)})"),)
        return (Check("server", refusal(server) or flushing_problem(server)), *judged(state, here))


def flushing_problem(server: Server) -> str | None:
    """Return what is wrong if a commit may not outlive a crash of the server's machine."""
    if server.fsync == "on":
        return None
    return "fsync is off, so a crash of the server's machine may lose or spoil all that is kept: switch it on"


def judged(state: State, here: int) -> Sequence[Check]:
    """Judge what goes on. `here`: this machine's clock at the same moment."""
    return (
        Check("connections", _connections(state)),
        Check("transactions", _transactions(state)),
        Check("server clock", _clock(state.now - here)),
    )


def _connections(state: State) -> str | None:
    if state.most - state.connections >= SPARE_CONNECTIONS:
        return None
    return (
        f"{state.connections} of {state.most} are taken: raise max_connections, run fewer processes, or put PgBouncer "
        "in between"
    )


def _transactions(state: State) -> str | None:
    if state.prepared is not None and state.prepared_seconds > PREPARED_SECONDS:
        return (
            f"the prepared transaction {state.prepared!r} has waited for {state.prepared_seconds:,.0f} s, and what is "
            "appended may be unreadable until it ends: COMMIT PREPARED or ROLLBACK PREPARED"
        )
    if state.holder_since is not None and state.holder_seconds > IDLE_SECONDS:
        return (
            f"the session of process {state.holder_pid} ({state.holder_application}) has stood in the middle of an "
            f"append since {state.holder_since:%Y-%m-%d %H:%M:%S} UTC, and may hold readers up: have its client go on, "
            f"or run `SELECT pg_terminate_backend({state.holder_pid})`"
        )
    if state.oldest_seconds > OPEN_SECONDS:
        return (
            f"process {state.oldest_pid} has had a transaction open for {state.oldest_seconds / 3600:,.1f} h, so "
            f"nothing is cleaned up: end it, or run `SELECT pg_terminate_backend({state.oldest_pid})`"
        )
    if state.frozen_age > FROZEN_AGE:
        return (
            f"the oldest row is {state.frozen_age:,} transactions old, and at 2,000,000,000 the server stops taking "
            "writes: see that autovacuum runs, or run VACUUM FREEZE"
        )
    return None


def _clock(ahead: int) -> str | None:
    seconds = ahead / 1_000_000
    if abs(seconds) <= APART_SECONDS:
        return None
    return (
        f"this machine's clock is {abs(seconds):,.1f} s {'behind' if seconds > 0 else 'ahead of'} the server's: set it"
    )
