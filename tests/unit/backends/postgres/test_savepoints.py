"""A unit's savepoint hides nothing of what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.backends.postgres.room import Opened, opened
from tidings.backends.postgres.connection import Connection


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Opened]:
    async with opened(postgres_url) as room:
        yield room


async def test_who_is_cancelled_while_a_savepoint_is_released_is_told_so(
    at: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has released it by then, so that there is none to go back to."""
    plain = Connection.execute

    async def cancelled_behind(connection: Connection, statement: str, *given: Any, **named: Any) -> str:
        done = await plain(connection, statement, *given, **named)
        if statement.startswith("RELEASE"):
            raise asyncio.CancelledError
        return done

    monkeypatch.setattr(Connection, "execute", cancelled_behind)
    with pytest.raises(asyncio.CancelledError):
        async with at.store.unit() as unit, unit.savepoint():
            pass


async def test_a_lost_connection_hides_no_error_of_the_block(at: Opened) -> None:
    with pytest.raises(KeyError):
        async with at.store.unit() as unit, unit.savepoint():
            connection = at.database.unit_connection
            assert connection is not None
            connection.terminate()
            raise KeyError
