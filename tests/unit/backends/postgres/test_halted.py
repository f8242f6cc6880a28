"""Who stands still in the middle of a COPY is ended by those who wait; who is slow, or somebody else's, is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.postgres.binaries import NEWEST, OLDEST
from tidings.backends.postgres.connection import APPLICATION, Connection
from tidings.backends.postgres.halted import APART_SECONDS, HOLDERS, MAKERS, Copying, Watch, standing_still, unseen
from tidings.backends.postgres.locks import ORDER

AT = datetime(2026, 1, 1, tzinfo=UTC)
STILL = Copying(pid=1, transaction="3/7", since=AT, bytes=70_000, waits=True)
HIDDEN = Copying(pid=2, transaction="4/7", since=None, bytes=None, waits=False)
ROWS = b"".join(f"{n}\n".encode() for n in range(20_000))
LOGGER = "tidings.postgres"


def test_who_waits_for_its_client_and_got_nothing_between_two_looks_stands_still() -> None:
    assert standing_still([HIDDEN, STILL], [STILL, HIDDEN]) == [STILL]
    assert unseen([STILL, HIDDEN], [HIDDEN, STILL]) == [HIDDEN]


@pytest.mark.parametrize(
    "before",
    [
        None,
        replace(STILL, bytes=69_999),
        replace(STILL, waits=False),
        replace(STILL, since=datetime(2025, 1, 1, tzinfo=UTC)),
        replace(STILL, transaction="3/6"),
        replace(STILL, pid=2),
    ],
    ids=["new", "slow", "busy", "another copy", "another transaction", "another session"],
)
def test_who_makes_progress_or_was_not_there_before_does_not_stand_still(before: Copying | None) -> None:
    assert not standing_still([before] if before else [], [STILL])


def test_who_waits_for_the_server_or_is_another_role_s_is_not_ended() -> None:
    busy = replace(STILL, waits=False)
    assert not standing_still([busy, HIDDEN], [busy, HIDDEN])
    assert not unseen([busy], [busy, HIDDEN])


class Sending:
    """What a COPY is given, as far as the test lets it come."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()

    def send(self, piece: bytes) -> None:
        self._pieces.put_nowait(piece)

    def end(self) -> None:
        self.send(b"")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._pieces.get():
            yield piece


@asynccontextmanager
async def copying(
    url: str, *, locked: bool = True, name: str = APPLICATION
) -> AsyncIterator[tuple[Sending, asyncio.Task[str]]]:
    """Copy into a table of a service's, in a transaction that holds ORDER if it says so."""
    settings = {"application_name": name}
    connection = await asyncpg.connect(url, server_settings=settings, connection_class=Connection)
    await connection.execute("BEGIN")
    if locked:
        await connection.execute(f"SELECT pg_advisory_xact_lock_shared({ORDER}, 1)")
    sending = Sending()
    task = asyncio.create_task(connection.copy_to_table("numbers", schema_name="shop", source=sending, columns=["n"]))
    sending.send(ROWS)
    try:
        yield sending, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        connection.terminate()


class Looker:
    """Looks at who copies. Its clock stands between two looks, so that they are `APART_SECONDS` apart at once."""

    def __init__(self, connection: Any, whose: str) -> None:
        self.connection = connection
        self.watch = Watch(whose)
        self._now = 0.0

    async def look(self) -> None:
        self._now += APART_SECONDS
        await self.watch.look(self.connection, self._now)

    async def until_taken_in(self, count: int = 1) -> None:
        """Wait until the server has taken in so many times the rows, and waits for more."""
        state = "SELECT count(*) FROM pg_stat_progress_copy c JOIN pg_stat_activity a USING (pid) "
        where = "WHERE c.datname = current_database() AND a.wait_event = 'ClientRead' AND c.bytes_processed = $1"
        while not await self.connection.fetchval(state + where, count * len(ROWS)):
            await asyncio.sleep(0.01)

    async def until_ended(self) -> None:
        """Wait until nobody copies: who is told to end does so in a moment."""
        copies = "SELECT count(*) FROM pg_stat_progress_copy WHERE datname = current_database()"
        while await self.connection.fetchval(copies):
            await asyncio.sleep(0.01)


@pytest.fixture
async def connection(postgres_url: str) -> AsyncIterator[Connection]:
    opened = await asyncpg.connect(postgres_url, connection_class=Connection)
    await opened.execute("CREATE SCHEMA shop; CREATE TABLE shop.numbers (n int)")
    yield opened
    await opened.close()


async def kept(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM shop.numbers"))


@pytest.mark.parametrize("postgres", [OLDEST, NEWEST], indirect=True, scope="session")
async def test_a_holder_that_gets_nothing_between_two_looks_is_ended_and_one_that_gets_something_is_not(
    connection: Connection, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    looker = Looker(connection, HOLDERS)
    async with copying(postgres_url) as (sending, task):
        for count in (1, 2, 3):
            await looker.until_taken_in(count)
            await looker.look()
            sending.send(ROWS)
        assert not caplog.records
        await looker.until_taken_in(4)
        await looker.look()
        await looker.look()
        await looker.until_ended()
        sending.end()
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await task
    [told] = caplog.records
    assert (told.name, "ended the PostgreSQL session" in told.getMessage()) == (LOGGER, True)
    assert await kept(connection) == 0


async def test_one_that_goes_on_between_the_look_and_its_end_is_left_alone(
    connection: Connection, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looker = Looker(connection, HOLDERS)
    async with copying(postgres_url) as (sending, task):
        await looker.until_taken_in()
        await looker.look()
        have_ended = Watch._have_ended

        async def late(self: Watch, *given: Any) -> None:
            sending.send(ROWS)
            await looker.until_taken_in(2)
            await have_ended(self, *given)

        monkeypatch.setattr(Watch, "_have_ended", late)
        await looker.look()
        sending.end()
        await task


@pytest.mark.parametrize("whose", [HOLDERS, MAKERS])
async def test_what_holds_no_position_or_makes_no_rows_of_views_is_somebody_else_s(
    connection: Connection, postgres_url: str, whose: str
) -> None:
    """The schema is no service's, as far as tidings knows."""
    looker = Looker(connection, whose)
    async with copying(postgres_url, locked=False) as (sending, task):
        await looker.until_taken_in()
        await looker.look()
        await looker.look()
        sending.end()
        await task


@pytest.mark.parametrize("name", [APPLICATION, "psql"])
async def test_who_makes_rows_of_a_service_s_views_is_ended_and_another_program_is_not(
    connection: Connection, postgres_url: str, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    await connection.execute(
        "INSERT INTO tidings.view (service, name, version, state, shape, mode, declared, spec, audited) "
        "VALUES ('shop', 'numbers', 1, 'current', '', 'async', 1, '', 0)"
    )
    looker = Looker(connection, MAKERS)
    async with copying(postgres_url, locked=False, name=name) as (sending, task):
        await looker.until_taken_in()
        await looker.look()
        await looker.look()
        if name == APPLICATION:
            await looker.until_ended()
        sending.end()
        await asyncio.wait([task])
        assert (task.exception() is not None) == (name == APPLICATION)
    assert len(caplog.records) == (name == APPLICATION)


@pytest.mark.parametrize("sees", [False, True])
async def test_of_another_role_s_session_a_warning_tells_once(
    connection: Connection, postgres_url: str, caplog: pytest.LogCaptureFixture, sees: bool
) -> None:
    role = f"other_{token_hex(4)}"
    await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'")
    if sees:
        await connection.execute(f"GRANT pg_read_all_stats TO {role}")
    place = urlsplit(postgres_url)
    other = await asyncpg.connect(place._replace(netloc=f"{role}:s3cret@{place.hostname}:{place.port}").geturl())
    looker = Looker(other, HOLDERS)
    async with copying(postgres_url) as (sending, task):
        await Looker(connection, HOLDERS).until_taken_in()
        pid = await connection.fetchval("SELECT pid FROM pg_stat_progress_copy WHERE datname = current_database()")
        for _ in range(3):
            await looker.look()
        sending.end()
        await task
    await other.close()
    await connection.execute(f"DROP ROLE {role}")
    [told] = [record.getMessage() for record in caplog.records]
    assert f"of process {pid} holds others up" in told
    assert f"pg_terminate_backend({pid})" in told
    assert ("may not be ended" if sees else "nobody here sees") in told


async def test_a_look_that_fails_or_comes_too_soon_does_nothing(
    connection: Connection, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch(HOLDERS)
    async with copying(postgres_url) as (sending, task):
        await Looker(connection, HOLDERS).until_taken_in()
        await watch.look(connection, 0.0)
        await watch.look(connection, APART_SECONDS - 0.1)
        gone = await asyncpg.connect(postgres_url, connection_class=Connection)
        await gone.close()
        await watch.look(gone, APART_SECONDS)
        sending.end()
        await task
    assert not caplog.records
