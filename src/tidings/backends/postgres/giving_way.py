"""Two transactions, each of which holds what the other one waits for: the one that can begin again gives way.

Who appends what inline views are fed with holds its subject, and then waits for a row. A unit that has read that row
holds it, and waits for the subject as soon as it appends. PostgreSQL would notice after a second, and end either of
them; and the unit, which has decided on what it read, cannot be repeated without asking whoever opened it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol, TypeVar

import asyncpg

from tidings.backends.postgres.connection import Connection

WAIT_SECONDS = 0.02
"""How long a fold waits for a row while nobody else gets the subject, not even who holds the row."""
TIMES = 25
"""How often it gives way. Then it waits: of two units that each have read what the other emits, the server ends one."""

R_co = TypeVar("R_co", covariant=True)


class Appending(Protocol[R_co]):
    """Appends and folds what is new, waiting `within` seconds for a row. To be begun again after a savepoint."""

    def __call__(self, *, within: float | None) -> Awaitable[R_co]: ...


async def giving_way(connection: Connection, append: Appending[R_co]) -> R_co:
    """Append, and while a row is held elsewhere let go of the subject and append anew: its numbers are lost."""
    for _ in range(TIMES):
        await connection.execute("SAVEPOINT tidings_append")
        try:
            return await append(within=WAIT_SECONDS)
        except Exception as error:
            if not isinstance(error.__cause__, asyncpg.LockNotAvailableError):
                raise
        await connection.execute("ROLLBACK TO SAVEPOINT tidings_append; RELEASE SAVEPOINT tidings_append")
    return await append(within=None)
