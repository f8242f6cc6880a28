"""What is done once to a log that was restored from an older copy."""

from __future__ import annotations

import sqlite3
from secrets import token_hex

from tidings.backends.sqlite.database import Database
from tidings.backends.sqlite.migrating import not_opened
from tidings.log.lives import APART, Life


async def begin_life(path: str) -> Life:
    """Give the log another incarnation, and have it go on far behind. SchemaError; StoreUnavailableError."""

    def job(connection: sqlite3.Connection) -> Life:
        connection.execute(
            "UPDATE tidings_head SET incarnation = ?, pos = pos + ?", (incarnation := token_hex(4), APART)
        )
        return Life(incarnation, connection.execute("SELECT pos FROM tidings_head").fetchone()[0])

    try:
        database = Database(path)
        try:
            return await database.job(job)
        finally:
            await database.close()
    except sqlite3.Error as error:
        raise not_opened(path, error) from error
