"""Scripts, on PostgreSQL."""

from __future__ import annotations

from typing import TypeVar

from tidings.backends.postgres.connection import Connection
from tidings.store.script import Script

T = TypeVar("T")


async def run(connection: Connection, script: Script[T]) -> T:
    """Run a script to its end."""
    try:
        statement, held = next(script)
        while True:
            rows = await connection.fetch(statement, *held)
            statement, held = script.send([tuple(row) for row in rows])
    except StopIteration as ended:
        result: T = ended.value
        return result
