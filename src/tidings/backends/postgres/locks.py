"""The advisory locks of the store, each for a transaction. Their numbers follow those of the log."""

from __future__ import annotations

from tidings.backends.postgres.connection import Connection

ORDER = 1953063937
"""Held, shared, by whoever has drawn a position, until its transaction ends. The log's own."""
MAKING = 1953063940
"""Consumers and views are made one after the other."""
COMMANDS = 1953063941
ANSWERS = 1953063942
ROWS = 1953063943
"""Stripes of rows that are not there, so that they cannot be locked themselves."""
RELAY = 1953063944
ENDPOINTS = 1953063946
"""Held, shared, by who delivers to all of them, and alone by who adds, changes or removes one."""
VERSIONS = 1953063947
"""Held by who decides about the versions of a type, under its name."""

DRAIN_SECONDS = 0.2
"""How long appends may have to wait at once while an inline table is made, or replaced."""

_ONE = 1


async def alone(connection: Connection, which: int, *, seconds: float | None = None) -> None:
    """Wait until nobody else holds the lock, for so many seconds at most: asyncpg's LockNotAvailableError then."""
    if seconds is not None:
        await connection.execute(f"SET LOCAL lock_timeout = '{seconds}s'")
    await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", which, _ONE)


async def is_alone(connection: Connection, which: int) -> bool:
    """Take the lock if nobody holds it; say whether it was taken."""
    taken: bool = await connection.fetchval("SELECT pg_try_advisory_xact_lock($1, $2)", which, _ONE)
    return taken


async def alone_with(connection: Connection, which: int, *names: str) -> None:
    """Wait until nobody else holds the lock under these names. Two names may share a lock by chance, and then wait."""
    text = "".join(f"{len(name)}:{name}" for name in names)
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", which, text)
