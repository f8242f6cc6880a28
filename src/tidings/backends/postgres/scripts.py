"""Scripts, on PostgreSQL."""

from __future__ import annotations

from typing import TypeVar

from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.locks import ENDPOINTS, VERSIONS
from tidings.store.scripts.keeping import ALONE, BESIDE
from tidings.store.scripts.registering import ALONE as ALONE_WITH_TYPE
from tidings.store.scripts.script import Script

T = TypeVar("T")
_INSTEAD = {
    ALONE: f"SELECT pg_advisory_xact_lock({ENDPOINTS}, 1)",
    BESIDE: f"SELECT pg_advisory_xact_lock_shared({ENDPOINTS}, 1)",
    ALONE_WITH_TYPE: f"SELECT pg_advisory_xact_lock({VERSIONS}, hashtext($1))",
}


async def run(connection: Connection, script: Script[T]) -> T:
    """Run a script to its end."""
    try:
        statement, held = next(script)
        while True:
            rows = await connection.fetch(_INSTEAD.get(statement, statement), *held)
            statement, held = script.send([tuple(row) for row in rows])
    except StopIteration as ended:
        result: T = ended.value
        return result
