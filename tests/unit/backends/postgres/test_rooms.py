"""Partitions of the log are made before they are needed, and at the latest when they are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import asyncpg
import pytest

from tests.conformance.postgres_harness import open_log
from tidings.backends.postgres import reading
from tidings.backends.postgres.database import Database
from tidings.backends.postgres.log import PostgresLog
from tidings.backends.postgres.opening import open_postgres
from tidings.backends.postgres.rooms import PARTITION_BITS, Rooms
from tidings.conformance.samples import event, events, ids_in, keep, refusal
from tidings.errors import LogUnavailableError, PositionExpiredError
from tidings.events.filter import EVERYTHING, Filter
from tidings.log.driver import History, Receipt
from tidings.ports import Ports

SIZE = 1 << PARTITION_BITS


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[PostgresLog]:
    opened = await open_log(postgres_url)
    yield opened
    await opened.close()


@pytest.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


async def partitions(connection: asyncpg.Connection) -> Sequence[str]:
    children = "SELECT inhrelid FROM pg_inherits WHERE inhparent = 'tidings.log'::regclass"
    rows = await connection.fetch(f"SELECT relname FROM pg_class WHERE oid IN ({children}) ORDER BY oid")
    return [row["relname"] for row in rows]


async def move_to(connection: asyncpg.Connection, position: int) -> None:
    await connection.execute("SELECT setval('tidings.position', $1, false)", position)


async def test_the_log_goes_on_over_the_end_of_a_partition(log: PostgresLog, connection: asyncpg.Connection) -> None:
    await move_to(connection, SIZE - 3)
    first = await keep(log, *events(0, 2))
    across = await keep(log, *events(2, 302))
    assert across.positions[0] < SIZE <= across.positions[-1]
    await keep(log, event("302", subject="other"))
    await log._rooms.close()
    assert await partitions(connection) == ["log_0", "log_1", "log_2"]
    assert await ids_in(log) == [str(n) for n in range(303)]
    assert await keep(log, *events(0, 2)) == Receipt(outcome="duplicate", positions=first.positions)
    assert (await refusal(log, event("x"), expected={"subject/1": first.positions[0]})).position == across.positions[-1]
    history = await log.history(History(subjects=["subject/1"], types=frozenset({event("").type}), upto=SIZE))
    assert [entry.position for entry in history] == [first.positions[0], first.positions[1], SIZE - 1, SIZE]
    assert (await log.read(after=0, limit=1, where=Filter(subject="other"))).entries[0].envelope.id == "302"


@pytest.mark.parametrize("count", [1, 300])
async def test_an_append_that_finds_no_partition_makes_it(
    log: PostgresLog, connection: asyncpg.Connection, count: int
) -> None:
    await move_to(connection, 300 * SIZE + 5)
    await keep(log, *events(0, count))
    assert await partitions(connection) == ["log_0", "log_1", "log_300", "log_301"]
    assert await ids_in(log) == [str(n) for n in range(count)]


async def test_a_closed_partition_can_be_taken_off_and_its_ids_stay_known(
    log: PostgresLog, connection: asyncpg.Connection
) -> None:
    old = await keep(log, event("old"))
    await move_to(connection, SIZE + 1)
    await keep(log, event("new"))
    await connection.execute("UPDATE tidings.head SET floor_pos = $1", SIZE)
    await connection.execute("ALTER TABLE tidings.log DETACH PARTITION tidings.log_0 CONCURRENTLY")
    with pytest.raises(PositionExpiredError):
        await log.read(after=0, limit=10)
    assert [entry.envelope.id for entry in (await log.read(after=SIZE, limit=10)).entries] == ["new"]
    conflict = await refusal(log, event("old"))
    assert (conflict.kind, conflict.position, conflict.kept_hash) == ("id", old.positions[0], None)
    await refusal(log, event("x"), expected={"subject/1": 0})
    assert (await keep(log, event("y", subject="z"), expected={"z": 5})).outcome == "appended"


class Cut:
    """A database whose connections are lost between two messages of the server."""

    def connection(self) -> AbstractAsyncContextManager[Any]:
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")


async def test_a_connection_that_is_lost_while_a_partition_is_made_is_no_end_of_closing() -> None:
    rooms = Rooms(cast(Database, Cut()))
    rooms.reached(1)
    await rooms.close()
    rooms.reached(2)
    await rooms.close()


@pytest.mark.parametrize(
    ("what", "at", "where"),
    [("page", 2, EVERYTHING), ("matching", 1, Filter(types=frozenset({event("").type})))],
    ids=["all", "a type"],
)
async def test_what_is_removed_between_two_looks_of_a_reader_is_not_passed_over(
    log: PostgresLog, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, what: str, at: int, where: Filter
) -> None:
    await keep(log, *events(0, 3))
    await connection.execute("SELECT setval('tidings.position', 7)")  # a hole, for which a page is read twice
    await keep(log, *events(3, 6))
    query, queries = getattr(reading, what), 0

    async def late(*given: Any, **named: Any) -> Any:
        nonlocal queries
        queries += 1
        if queries == at:
            await connection.execute("UPDATE tidings.head SET floor_pos = 2")
            await connection.execute("DELETE FROM tidings.log WHERE pos <= 2")
        return await query(*given, **named)

    monkeypatch.setattr(reading, what, late)
    with pytest.raises(PositionExpiredError) as error:
        await log.read(after=0, limit=10, where=where)
    assert error.value.floor == 2
    assert len((await log.read(after=2, limit=10, where=where)).entries) == 4


async def test_a_partition_that_is_taken_off_before_an_older_one_is_not_passed_over(
    log: PostgresLog, connection: asyncpg.Connection
) -> None:
    await keep(log, *events(0, 3))
    await move_to(connection, SIZE + 1)
    await keep(log, *events(3, 6))
    await log._rooms.close()
    await move_to(connection, 2 * SIZE + 1)
    await keep(log, *events(6, 9))
    await log.head()  # all of it is final, so a hole is none that may yet be filled
    await connection.execute("UPDATE tidings.head SET floor_pos = $1", 2 * SIZE)
    await connection.execute("ALTER TABLE tidings.log DETACH PARTITION tidings.log_1")
    with pytest.raises(PositionExpiredError):
        await log.read(after=1, limit=10)
    assert [entry.envelope.id for entry in (await log.read(after=2 * SIZE, limit=10)).entries] == ["6", "7", "8"]


async def test_appends_that_find_no_partition_at_once_make_it_once(
    postgres_url: str, connection: asyncpg.Connection
) -> None:
    logs = [await open_log(postgres_url) for _ in range(6)]
    for n in range(10, 40, 10):
        await move_to(connection, n * SIZE + 5)
        await asyncio.gather(*(keep(log, event(f"{n}-{k}-{i}")) for k, log in enumerate(logs) for i in range(2)))
    for log in logs:
        await log.close()
    assert await connection.fetchval("SELECT count(*) FROM tidings.log") == 36


async def test_a_unit_that_finds_no_partition_is_kept_when_it_is_repeated(
    postgres_url: str, connection: asyncpg.Connection
) -> None:
    at = await open_postgres(postgres_url, Ports(), connections=1)
    await move_to(connection, 300 * SIZE + 5)
    with pytest.raises(LogUnavailableError, match="repeat"):
        async with at.store.unit() as unit:
            unit.emit([event("a")])
    async with at.store.unit() as unit:
        unit.emit([event("a")])
    assert await ids_in(at.log) == ["a"]
    await at.close()


@pytest.mark.parametrize("count", [1, 300])
async def test_an_append_is_told_of_a_partition_that_is_not_attached(
    log: PostgresLog, connection: asyncpg.Connection, count: int
) -> None:
    await keep(log, event("old"))
    await log._rooms.close()
    await connection.execute("ALTER TABLE tidings.log DETACH PARTITION tidings.log_0 CONCURRENTLY")
    with pytest.raises(LogUnavailableError) as error:
        await keep(log, *events(0, count))
    command = re.search("`(ALTER TABLE .*)`", str(error.value))
    assert command is not None
    await connection.execute(command[1])
    await keep(log, *events(0, count))
    assert await ids_in(log) == ["old", *[str(n) for n in range(count)]]


async def test_an_append_that_a_constraint_refuses_goes_round_no_more(
    log: PostgresLog, connection: asyncpg.Connection
) -> None:
    await connection.execute("ALTER TABLE tidings.log ADD CONSTRAINT theirs CHECK (type <> type)")
    with pytest.raises(LogUnavailableError, match="theirs"):
        await keep(log, event("a"))
