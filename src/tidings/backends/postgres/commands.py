"""Commands that were done under a key: a row for each, for ever."""

from __future__ import annotations

from tidings.backends.postgres import locks
from tidings.backends.postgres.connection import Connection
from tidings.store.commands import is_done


async def find(connection: Connection, service: str, key: str) -> int | None:
    """Return how many events it emitted; None if it is not known. Who asks for the same waits until this one ends."""
    await locks.alone_with(connection, locks.COMMANDS, service, key)
    emitted: int | None = await connection.fetchval(
        "SELECT emitted FROM tidings.command WHERE service = $1 AND key = $2", service, key
    )
    return emitted


async def remember(connection: Connection, service: str, key: str, emitted: int) -> None:
    """Note it; RefusedError if it is noted already."""
    noted = await connection.fetchval(
        "INSERT INTO tidings.command (service, key, emitted) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1",
        service,
        key,
        emitted,
    )
    if noted is None:
        raise is_done(service, key)
