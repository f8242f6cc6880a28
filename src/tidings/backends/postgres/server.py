"""What a PostgreSQL server says about itself, and what tidings cannot work with."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from tidings.backends.postgres.names import quoted

OLDEST = 14
"""The first major release that is tested."""

_FACTS = """
SELECT current_setting('server_version_num')::int AS version,
  current_setting('synchronous_commit') AS synchronous_commit,
  current_setting('fsync') AS fsync,
  current_setting('default_transaction_isolation') AS isolation,
  current_setting('default_transaction_read_only') = 'on' AS is_read_only,
  pg_is_in_recovery() AS is_standby,
  current_setting('server_encoding') AS encoding,
  pg_backend_pid() AS pid,
  current_database()::text AS database,
  current_user::text AS role,
  has_database_privilege(current_database(), 'CREATE') AS may_create,
  (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'tidings') AS may_use,
  (SELECT pg_get_userbyid(c.relowner)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'tidings' AND c.relname = 'head' AND NOT pg_has_role(c.relowner, 'USAGE')) AS owner
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One look at a server, by one connection.

    `version`: 150004 is 15.4. `is_pooled`: something stands between, such as PgBouncer, that may hand each transaction
    to another server process. `may_create`: schemas; `may_use`: the schema `tidings`; None if it is not there.
    `owner`: whose the tables of tidings are; None if there are none, or the user has all rights of that one.
    """

    version: int
    synchronous_commit: str
    fsync: str
    isolation: str
    is_read_only: bool
    is_standby: bool
    encoding: str
    is_pooled: bool
    database: str
    role: str
    may_create: bool
    may_use: bool | None
    owner: str | None

    @property
    def major(self) -> int:
        return self.version // 10_000

    @property
    def engine(self) -> str:
        """Product and version, as `PostgreSQL 15.4`."""
        return f"PostgreSQL {self.major}.{self.version % 10_000}"

    @property
    def caution(self) -> str | None:
        """What an operator must heed, though all works."""
        if not self.is_pooled:
            return None
        return (
            "something like PgBouncer stands in between, so no process is told of another's appends, and each looks "
            "for them four times a second: name the server itself in TIDINGS_DATABASE_URL to be told at once"
        )


async def look(connection: asyncpg.Connection) -> Server:
    """Ask the server what it is."""
    row = await connection.fetchrow(_FACTS)
    found = dict(row or {})
    # A pooler makes up the process id that the client is told when it connects: nobody else has a reason to.
    return Server(is_pooled=found.pop("pid") != connection.get_server_pid(), **found)


def refusal(server: Server) -> str | None:
    """Return why tidings cannot work with this server, and what to do; None if it can."""
    if server.major < OLDEST:
        return f"the server is {server.engine}, and tidings needs PostgreSQL {OLDEST} or later: upgrade the server"
    if server.encoding != "UTF8":
        return (
            f"the database {server.database} has the encoding {server.encoding}, which cannot hold every text: "
            f"make one with `createdb --encoding=UTF8 --template=template0 NAME`"
        )
    if server.is_standby or server.is_read_only:
        return (
            "the server takes no writes (it is a standby, or default_transaction_read_only is on): name the primary "
            "in TIDINGS_DATABASE_URL, or add ?target_session_attrs=read-write to several hosts"
        )
    if server.synchronous_commit == "off":
        return (
            f"synchronous_commit is off, so what was said to be kept could be lost: run `{_set_for(server)} "
            "synchronous_commit = on`, take it out of TIDINGS_DATABASE_URL where that says it, and start the processes "
            "anew, whose sessions keep what it was"
        )
    if server.is_pooled and server.isolation != "read committed":
        return (
            f"default_transaction_isolation is {server.isolation}, and the pooler lets no client choose another: run "
            f"`{_set_for(server)} default_transaction_isolation = 'read committed'`"
        )
    if server.may_use is None and not server.may_create:
        return (
            f"the user {server.role} may not make the schema tidings: run "
            f"`GRANT CREATE ON DATABASE {quoted(server.database)} TO {quoted(server.role)}`"
        )
    return _not_owned(server)


def _set_for(server: Server) -> str:
    """Return how a setting is made that holds whatever is set for the role, or for the database, alone."""
    return f"ALTER ROLE {quoted(server.role)} IN DATABASE {quoted(server.database)} SET"


def _not_owned(server: Server) -> str | None:
    if server.owner is not None:  # as the log grows partitions are added to it, which no grant allows
        return (
            f"the tables of tidings are {server.owner}'s, and only their owner may add to them: connect as "
            f"{server.owner}, not as {server.role}"
        )
    if server.may_use is False:
        return (
            f"the user {server.role} may not use the schema tidings, which another user made: run "
            f"`GRANT USAGE, CREATE ON SCHEMA tidings TO {quoted(server.role)}`"
        )
    return None
