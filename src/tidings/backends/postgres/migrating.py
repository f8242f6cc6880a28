"""What an operator does about the tables: look how far they are, and take them as far as this release goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tidings.backends.postgres.database import first_connection
from tidings.backends.postgres.failures import translated
from tidings.backends.postgres.migrations import apply, look, read_steps
from tidings.backends.postgres.waiting import Waiting
from tidings.errors import StoreUnavailableError
from tidings.ports import Clock
from tidings.store.schema import Schema, Step


async def schema_of(url: str) -> Schema:
    """Say how far the database's tables are. Errors as `open_database`, but for the tables themselves."""
    async with first_connection(url) as (connection, _):
        return await look(connection, read_steps())


async def migrate(url: str, clock: Clock, *, tell: Callable[[str], None]) -> Sequence[Step]:
    """Do the steps that the database lacks, and return them; programs go on meanwhile.

    `tell`: is told a sentence where it waits for somebody, once for each.
    StoreUnavailableError if somebody holds a table for too long: what was done stays done, and the rest may be tried
    again. Other errors as `open_database`, but for the tables themselves.
    """
    async with first_connection(url) as (connection, _):
        waiting = Waiting(url, clock, tell)
        async with waiting.watched():
            with translated(StoreUnavailableError):
                return await apply(connection, read_steps(), begun=waiting.begun)
