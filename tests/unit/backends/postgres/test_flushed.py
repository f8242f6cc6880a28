"""What is acknowledged is flushed, also where `synchronous_commit` is switched off while a program runs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.unit.backends.postgres.room import Opened, opened
from tidings.backends.postgres.appending import COPIED_FROM
from tidings.conformance.samples import event
from tidings.conformance.store_receiving import came, receive
from tidings.log.driver import Write

AT_COMMIT = """
CREATE TABLE public.flushing (at_commit text);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.flushing VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER note AFTER INSERT ON tidings.log_0 DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.note();
CREATE CONSTRAINT TRIGGER note AFTER INSERT ON tidings.receipt DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.note();
"""
OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> $1"


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Opened]:
    """A log and a store whose sessions began with `synchronous_commit` off, and that note what it is as they commit."""
    async with opened(postgres_url) as room:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute(AT_COMMIT)
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        await connection.execute(OTHERS, connection.get_server_pid())
        await connection.close()
        assert await room.rows("SHOW synchronous_commit") == [("off",)]
        yield room


def write(name: str, count: int = 1) -> Write:
    return Write(envelopes=tuple(event(f"{name}-{n}", subject=f"{name}/{n}") for n in range(count)))


@pytest.mark.parametrize(
    "writes", [[write("a")], [write("a", 2)], [write("a", COPIED_FROM)]], ids=["one", "some", "many"]
)
async def test_an_append_is_flushed(at: Opened, writes: list[Write]) -> None:
    await at.log.append(writes)
    assert await at.rows("SELECT DISTINCT at_commit FROM public.flushing") == [("on",)]


async def test_a_unit_that_emits_is_flushed(at: Opened) -> None:
    async with at.store.unit() as unit:
        unit.emit([event("a")])
    assert await at.rows("SELECT DISTINCT at_commit FROM public.flushing") == [("on",)]


async def test_a_webhook_is_flushed(at: Opened) -> None:
    await receive(at.store, came("a"))
    assert await at.rows("SELECT DISTINCT at_commit FROM public.flushing") == [("on",)]
