"""A connection that the server ends is no fault of whoever uses it next, whatever of its end was noticed by then."""

from __future__ import annotations

import asyncio
import threading

import asyncpg
import pytest

from tidings.backends.postgres.database import open_database
from tidings.backends.postgres.failures import translated
from tidings.errors import StoreUnavailableError

TURNS = range(6)
"""Of the event loop, between the end and the use: the last words are read in one, the hanging up in a later one."""


def terminate(url: str, pid: int) -> None:
    """End a server process while this thread, with its event loop, stands still; come back when it is gone."""

    async def ended() -> None:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT pg_terminate_backend($1, 60000)", pid)
        await connection.close()

    beside = threading.Thread(target=lambda: asyncio.run(ended()))
    beside.start()
    beside.join()


@pytest.mark.parametrize("turns", TURNS)
async def test_a_connection_that_was_ended_is_unavailable_and_then_another_is_used(
    postgres_url: str, turns: int
) -> None:
    database = await open_database(postgres_url, connections=1)
    async with database.connection() as connection:
        pid = await connection.fetchval("SELECT pg_backend_pid()")
    terminate(postgres_url, pid)
    for _ in range(turns):
        await asyncio.sleep(0)
    try:
        with translated(StoreUnavailableError):
            async with database.connection() as connection:
                assert await connection.fetchval("SELECT pg_backend_pid()") != pid
    except StoreUnavailableError:
        pass  # what the same call is repeated for
    async with asyncio.timeout(60), database.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await database.close()
