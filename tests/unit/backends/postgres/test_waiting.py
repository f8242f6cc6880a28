"""Whoever takes the tables on is told what that waits for, and who holds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from tests.unit.backends.postgres.test_migrations import NEXT, STEPS
from tidings.backends.postgres import migrating, migrations, waiting
from tidings.backends.postgres.database import open_database
from tidings.ports import SystemClock
from tidings.store.schema import Step


@pytest.fixture
async def holder(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_url, server_settings={"application_name": "pgadmin"})
    yield connection
    await connection.close()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[str]:
    monkeypatch.setattr(waiting, "TOLD_SECONDS", 0.05)
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.02)
    return asyncio.Queue()


async def migrated(url: str, told: asyncio.Queue[str]) -> Sequence[Step]:
    return await migrating.migrate(url, SystemClock(), tell=told.put_nowait)


async def test_who_takes_the_tables_on_meanwhile_is_named_once(
    postgres_url: str, holder: asyncpg.Connection, told: asyncio.Queue[str]
) -> None:
    async with holder.transaction():
        await holder.execute(f"SELECT pg_advisory_xact_lock({migrations.LOCK})")
        waits = asyncio.create_task(migrated(postgres_url, told))
        said = await told.get()
        assert said.startswith(f"waiting for process {holder.get_server_pid()} of the server (pgadmin)")
        assert "takes the tables on" in said
        await asyncio.sleep(0.2)
    assert await waits == []
    assert told.empty()


async def test_who_holds_a_table_is_named_with_the_table(
    postgres_url: str, holder: asyncpg.Connection, told: asyncio.Queue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await open_database(postgres_url)).close()
    step = Step(NEXT.number, 1, NEXT.files, "ALTER TABLE tidings.head ADD more int;")
    monkeypatch.setattr(migrating, "read_steps", lambda: [*STEPS, step])
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 60)
    async with holder.transaction():
        await holder.execute("SELECT FROM tidings.head")
        waits = asyncio.create_task(migrated(postgres_url, told))
        said = await told.get()
        assert f"process {holder.get_server_pid()} of the server (pgadmin)" in said
        assert "tidings.head" in said
    assert await waits == [step]


async def test_nothing_is_said_where_nothing_is_waited_for(postgres_url: str, told: asyncio.Queue[str]) -> None:
    assert await migrated(postgres_url, told) == []
    assert told.empty()
