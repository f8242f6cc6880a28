"""What is done once to a log that was restored from an older copy."""

from __future__ import annotations

from tidings.backends.postgres import locks
from tidings.backends.postgres.database import first_connection
from tidings.backends.postgres.migrations import prepare
from tidings.log.lives import APART, Life
from tidings.settings import without_secrets

_MOVE = f"""
SELECT setval('tidings.position', greatest(
  (SELECT last_value FROM tidings.position), (SELECT coalesce(max(pos), 0) FROM tidings.log)) + {APART})
"""
_RENAME = "UPDATE tidings.head SET incarnation = left(gen_random_uuid()::text, 8) RETURNING incarnation"


async def begin_life(url: str) -> Life:
    """Give the log another incarnation, and have it go on far behind what it has. Errors as `open_database`."""
    async with first_connection(url) as (connection, _):
        await prepare(connection, without_secrets(url), create=False)
        async with connection.transaction(isolation="read_committed"):
            await locks.alone(connection, locks.ORDER)  # nobody is about to use a position
            after: int = await connection.fetchval(_MOVE)
            await connection.execute("SELECT tidings.make_room()")
            return Life(await connection.fetchval(_RENAME), after)
