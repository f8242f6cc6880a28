"""A transaction that ends whatever happens: committed, rolled back, or with its connection given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import asyncpg
from asyncpg.transaction import Transaction

from tidings.backends.postgres.failures import DRIVER_ERRORS

W = TypeVar("W")
ROLLBACK_SECONDS = 3.0
"""How long a connection may take to roll back before it is given up."""


def begun(connection: asyncpg.Connection) -> AbstractAsyncContextManager[None]:
    """BEGIN, READ COMMITTED: COMMIT on leaving, ROLLBACK if an exception leaves, which is raised as it is."""
    return begun_by(connection, Transaction.start)


@asynccontextmanager
async def begun_by(connection: asyncpg.Connection, start: Callable[[Transaction], Awaitable[W]]) -> AsyncIterator[W]:
    """As `begun`, for who does something else while BEGIN is on its way. `start` sends it; the block is given what it
    returns. Whatever it raises, the connection is given up."""
    transaction = connection.transaction(isolation="read_committed")
    try:
        started = await start(transaction)
    except BaseException:
        # The server may have begun it all the same, and have said so to nobody, or `start` raised beside it: who had
        # the connection next would write into this transaction, be told that it is kept, and lose it.
        connection.terminate()
        raise
    try:
        yield started
    except BaseException:
        await _roll_back(transaction, connection)
        raise
    await transaction.commit()


async def _roll_back(transaction: Transaction, connection: asyncpg.Connection) -> None:
    """Roll back, or give the connection up, which does so too: whatever comes meanwhile must not hide why.

    It is given up where a statement goes on that was to be cancelled: the server forgets a request to cancel that
    overtakes its statement. So it is where the connection is gone.
    """
    try:
        async with asyncio.timeout(ROLLBACK_SECONDS):
            await transaction.rollback()
    except DRIVER_ERRORS:
        connection.terminate()
