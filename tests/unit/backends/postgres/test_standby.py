"""A standby is never read from: it does not know who may yet fill a hole in its primary's log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

import asyncpg
import pytest

from tests.conformance.postgres_harness import open_log
from tests.postgres.binaries import NEWEST
from tests.postgres.held import held
from tests.postgres.proxy import Door
from tests.postgres.server import Server, own, standby
from tidings.backends.postgres import reading
from tidings.backends.postgres.database import open_database
from tidings.conformance.samples import event, ids_in, keep
from tidings.errors import LogUnavailableError, SchemaError
from tidings.events.filter import Filter

T = TypeVar("T", bound="Closable")
WANTED = Filter(types=frozenset({event("").type}))


class Closable(Protocol):
    async def close(self) -> None: ...


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    with own(NEWEST) as primary, standby(primary) as second:
        yield primary, second


@asynccontextmanager
async def closing(opened: T) -> AsyncIterator[T]:
    try:
        yield opened
    finally:
        await opened.close()


async def refusal_of(asked: Callable[[], Awaitable[object]]) -> str:
    """Return what it is refused with, once it has come upon every connection that was cut meanwhile."""
    while True:
        with pytest.raises(LogUnavailableError) as refused:
            await asked()
        if "connection" not in str(refused.value):
            return str(refused.value)


async def caught_up(primary: Server, second: Server) -> None:
    """Come back when the standby shows everything that is committed."""
    there, here = [await asyncpg.connect(server.url("postgres")) for server in (primary, second)]
    end = await there.fetchval("SELECT pg_current_wal_flush_lsn()::text")
    while not await here.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", end):
        await asyncio.sleep(0.01)
    for connection in (there, here):
        await connection.close()


async def test_a_url_of_a_standby_is_refused_at_the_start_with_what_to_do(servers: tuple[Server, Server]) -> None:
    primary, second = servers
    await (await open_database(primary.url("postgres"))).close()
    await caught_up(primary, second)
    with pytest.raises(SchemaError, match=r"it is a standby.*name the primary in TIDINGS_DATABASE_URL"):
        await open_database(second.url("postgres"))


async def test_an_address_that_moves_to_a_standby_answers_nothing_until_it_leads_to_the_primary_again(
    servers: tuple[Server, Server],
) -> None:
    primary, second = servers
    url = primary.url("postgres")
    async with Door(url) as door, closing(await open_log(door.url)) as log, held(url) as slow:
        before = await ids_in(log)
        await slow.run("BEGIN")
        await slow.append(event("first"))
        await keep(log, event("second"))
        await caught_up(primary, second)
        await door.lead_to(second.url("postgres"))
        for asked in (
            log.head,
            lambda: log.read(after=0, limit=10),
            lambda: log.read(after=0, limit=10, where=WANTED),
        ):
            assert "leads to is a standby" in await refusal_of(asked)
        await door.lead_to(primary.url("postgres"))
        assert await ids_in(log) == before, "what stands behind an open append is not read"
        await slow.run("COMMIT")
        assert await ids_in(log) == [*before, "first", "second"]


async def test_who_finds_itself_on_a_standby_behind_a_pooler_learns_nothing_there(
    servers: tuple[Server, Server],
) -> None:
    primary, second = servers
    await (await open_database(primary.url("postgres"))).close()
    await caught_up(primary, second)
    async with closing(await asyncpg.connect(second.url("postgres"))) as connection:
        with pytest.raises(LogUnavailableError, match="standby"):
            await reading.look(connection)
