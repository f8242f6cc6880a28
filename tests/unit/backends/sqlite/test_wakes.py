"""Who waits is woken by another process's append, whenever that comes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tidings.backends.sqlite.wakes import Wakes


class PromptClock:
    """A clock whose sleep is one turn of the event loop, after which something may happen."""

    def now_us(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class OtherProcess:
    """A database that somebody else appends to."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._connection = self.connect()
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("CREATE TABLE tidings_head (pos INTEGER)")
        self._connection.execute("INSERT INTO tidings_head VALUES (0)")

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None)

    def append(self) -> None:
        self._connection.execute("UPDATE tidings_head SET pos = pos + 1")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def other(tmp_path: Path) -> OtherProcess:
    return OtherProcess(tmp_path / "log.db")


@pytest.fixture
async def wakes(other: OtherProcess) -> AsyncIterator[Wakes]:
    made = Wakes(PromptClock(), other.connect)
    yield made
    await made.close()
    other.close()


async def woken(future: asyncio.Future[None]) -> bool:
    for _ in range(10):
        await asyncio.sleep(0)
    return future.done()


async def test_an_append_before_the_first_look_is_noticed(wakes: Wakes, other: OtherProcess) -> None:
    future = wakes.expect()
    other.append()
    assert await woken(future)


async def test_an_append_between_two_waits_is_noticed_by_the_second(wakes: Wakes, other: OtherProcess) -> None:
    first = wakes.expect()
    assert not await woken(first)
    second = wakes.expect()
    wakes.forget(first)
    other.append()
    assert await woken(second)


async def test_nobody_is_woken_by_nothing(wakes: Wakes, other: OtherProcess) -> None:
    other.append()
    assert not await woken(wakes.expect())


async def test_after_everyone_has_gone_the_next_one_is_woken_too(wakes: Wakes, other: OtherProcess) -> None:
    wakes.forget(wakes.expect())
    for _ in range(5):
        await asyncio.sleep(0)
    future = wakes.expect()
    other.append()
    assert await woken(future)


async def test_a_connection_that_cannot_be_opened_is_the_waiters_error_and_not_the_end(other: OtherProcess) -> None:
    attempts = [sqlite3.OperationalError("unable to open database file")]

    def connect() -> sqlite3.Connection:
        if attempts:
            raise attempts.pop()
        return other.connect()

    wakes = Wakes(PromptClock(), connect)
    with pytest.raises(sqlite3.OperationalError):
        wakes.expect()
    future = wakes.expect()
    other.append()
    assert await woken(future)
    await wakes.close()
    other.close()


async def test_closing_lets_everyone_go(wakes: Wakes) -> None:
    future = wakes.expect()
    await wakes.close()
    assert future.done()
