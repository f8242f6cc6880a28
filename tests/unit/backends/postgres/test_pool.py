"""Connections are lent and given back, some at most, and none is left behind in a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tidings.backends.postgres import pool as room
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.pool import Pool


class Opened:
    """Opens connections, and counts them."""

    def __init__(self, url: str) -> None:
        self.connections: list[Connection] = []
        self._url = url

    async def __call__(self) -> Connection:
        connection: Connection = await asyncpg.connect(self._url, connection_class=Connection)
        self.connections.append(connection)
        return connection


@pytest.fixture
def opened(bare_postgres_url: str) -> Opened:
    return Opened(bare_postgres_url)


@pytest.fixture
async def pool(opened: Opened) -> AsyncIterator[Pool]:
    pool = Pool(opened, most=2)
    yield pool
    await pool.close(within=10)
    assert all(connection.is_closed() for connection in opened.connections)


async def test_a_connection_that_was_given_back_is_lent_again(pool: Pool, opened: Opened) -> None:
    for _ in range(3):
        async with pool.lent() as connection:
            assert await connection.fetchval("SELECT 1") == 1
    async with pool.lent() as one, pool.lent() as other:
        assert one is not other
    assert len(opened.connections) == 2


async def test_who_finds_none_waits_for_one(pool: Pool, opened: Opened) -> None:
    async def use() -> None:
        async with pool.lent() as connection:
            await connection.fetchval("SELECT pg_sleep(0.001)")

    await asyncio.gather(*(use() for _ in range(20)))
    assert len(opened.connections) == 2


async def test_who_finds_none_in_time_is_told(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CONNECT_SECONDS", 0.01)
    async with pool.lent(), pool.lent():
        with pytest.raises(TimeoutError):
            async with pool.lent():
                pass
    async with pool.lent(), pool.lent():
        pass


async def test_one_that_is_cut_or_left_in_a_transaction_is_not_lent_again(pool: Pool, opened: Opened) -> None:
    async with pool.lent() as connection:
        await connection.execute("BEGIN")
    async with pool.lent() as connection:
        connection.terminate()
    async with pool.lent() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    assert len(opened.connections) == 3


async def test_a_failure_to_connect_takes_no_room(pool: Pool, opened: Opened) -> None:
    url, opened._url = opened._url, "postgresql://127.0.0.1:1/nowhere"
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            async with pool.lent():
                pass
    opened._url = url
    async with pool.lent(), pool.lent():
        pass


async def test_what_nobody_wanted_for_long_is_closed(
    pool: Pool, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "IDLE_SECONDS", -1.0)
    async with pool.lent(), pool.lent():
        pass
    assert all(connection.is_closed() for connection in opened.connections)


async def test_closing_waits_for_what_is_lent_and_lends_no_more(pool: Pool) -> None:
    async with pool.lent() as connection:
        closing = asyncio.create_task(pool.close(within=60))
        await asyncio.sleep(0)
        with pytest.raises(asyncpg.InterfaceError, match="closed"):
            async with pool.lent():
                pass
        assert await connection.fetchval("SELECT 1") == 1
    await closing
    assert connection.is_closed()


async def test_closing_does_not_wait_for_ever(pool: Pool) -> None:
    async with pool.lent() as connection:
        await pool.close(within=0.01)
        assert connection.is_closed()


async def test_one_that_is_taken_for_a_time_and_kept_longer_is_hung_up(pool: Pool, opened: Opened) -> None:
    async with pool.lent():
        pass
    kept, lent = pool.take_idle(0.0), pool.lent()
    assert kept is not None
    async with lent as other:
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            await kept.fetchval("SELECT pg_sleep(60)")
        assert await other.fetchval("SELECT 1") == 1
    pool.give_back(kept)
    again = pool.take_idle(3600.0)
    assert again is other
    pool.give_back(other)


async def test_whoever_is_cancelled_while_it_closes_leaves_no_connection_open(opened: Opened) -> None:
    pool = Pool(opened, most=3)
    async with pool.lent() as lent:
        async with pool.lent(), pool.lent():
            pass
        closing = asyncio.create_task(pool.close(within=60))
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert lent.is_closed()
    assert len(opened.connections) == 3
    assert all(connection.is_closed() for connection in opened.connections)


async def test_whoever_is_cancelled_while_one_is_hung_up_hangs_up_the_others(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(opened, most=2)
    async with pool.lent(), pool.lent():
        pass

    async def slowly(connection: Connection, *, timeout: float) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Connection, "close", slowly)
    closing = asyncio.create_task(pool.close(within=60))
    await asyncio.sleep(0.01)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert len(opened.connections) == 2
    assert all(connection.is_closed() for connection in opened.connections)
