"""A number that is missing holds its readers until it is certain that nothing comes there, and nobody longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from struct import unpack

import asyncpg
import pytest

from tests.conformance.postgres_harness import open_log
from tests.postgres.binaries import NEWEST
from tests.postgres.held import Held, held
from tests.postgres.server import own
from tidings.backends.postgres.log import PostgresLog
from tidings.conformance.samples import event, ids_in, keep, refusal, turn
from tidings.errors import LogRewoundError
from tidings.events.filter import Filter
from tidings.log.driver import Receipt, Write

PATIENCE = timedelta(seconds=60)
WANTED = Filter(types=frozenset({event("").type}))


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[PostgresLog]:
    opened = await open_log(postgres_url)
    yield opened
    await opened.close()


@pytest.fixture
async def slow(postgres_url: str) -> AsyncIterator[Held]:
    async with held(postgres_url) as connection:
        yield connection


async def read(log: PostgresLog, *, after: int = 0, limit: int = 100) -> list[str]:
    """Return the ids of a page, which is the same for a reader who filters."""
    page, filtered = [await log.read(after=after, limit=limit, where=where) for where in (Filter(), WANTED)]
    assert page == filtered
    assert (await log.head()).position >= page.upto
    return [entry.envelope.id for entry in page.entries]


async def test_nothing_behind_an_open_append_is_read_until_it_commits(log: PostgresLog, slow: Held) -> None:
    await keep(log, event("4"))
    await slow.run("BEGIN")
    await slow.append(event("5"))
    await keep(log, event("6"))
    assert await read(log) == ["4"]
    waiting = asyncio.create_task(log.wait(after=1, timeout=PATIENCE))
    await slow.run("COMMIT")
    await waiting
    assert await read(log) == ["4", "5", "6"]


@pytest.mark.parametrize("id", ["5", "opaque"])
@pytest.mark.parametrize(("end", "there"), [("COMMIT", True), ("ROLLBACK", False)])
async def test_nothing_behind_a_single_append_that_is_open_is_read(
    log: PostgresLog, slow: Held, id: str, end: str, there: bool
) -> None:
    await slow.run("BEGIN")
    assert await slow.append_one(event(id)) == 1
    assert (await keep(log, event("6"))).positions == (2,)
    assert await read(log) == []
    await slow.run(end)
    assert await read(log) == ([id, "6"] if there else ["6"])


async def test_a_single_append_that_is_refused_or_repeated_leaves_no_hole(log: PostgresLog) -> None:
    first = await keep(log, event("1"))
    assert await keep(log, event("1")) == Receipt(outcome="duplicate", positions=first.positions)
    assert (await refusal(log, event("1", data=b"2"))).position == 1
    assert (await keep(log, event("2"))).positions == (2,)


async def test_two_single_appends_of_one_id_keep_the_first(log: PostgresLog, slow: Held) -> None:
    await slow.run("BEGIN")
    await slow.append_one(event("1"))
    second = asyncio.create_task(keep(log, event("1")))
    await turn()
    await slow.run("COMMIT")
    assert await second == Receipt(outcome="duplicate", positions=(1,))


async def test_a_single_append_that_waits_for_another_of_its_id_holds_its_readers(log: PostgresLog, slow: Held) -> None:
    sought = log._appender.sought(event("5").source, "5")
    table, halves = "seen_time" if sought.timed else "seen_opaque", unpack(">2q", sought.keys[0])
    await slow.run("BEGIN")  # with the id's key alone, so that it is not this one that readers wait for
    await slow.connection.execute(f"INSERT INTO tidings.{table} VALUES ($1, $2, 0)", *halves)
    waiting = asyncio.create_task(keep(log, event("5")))
    while not await slow.connection.fetchval("SELECT last_value = 1 AND is_called FROM tidings.position"):
        await asyncio.sleep(0.01)
    await keep(log, event("6"))
    assert await read(log) == []
    await slow.run("ROLLBACK")
    await waiting
    assert await read(log) == ["5", "6"]


async def test_what_stands_behind_an_append_that_is_rolled_back_is_read_at_once(log: PostgresLog, slow: Held) -> None:
    await slow.run("BEGIN")
    await slow.append(event("5"))
    await keep(log, event("6"), event("7"))
    assert await read(log) == []
    await slow.run("ROLLBACK")
    assert await read(log) == ["6", "7"]
    assert await read(log, after=2) == ["7"]


async def test_what_was_appended_later_does_not_prolong_a_hole(log: PostgresLog, slow: Held, postgres_url: str) -> None:
    await slow.run("BEGIN")
    await slow.append(event("5"))
    await keep(log, event("6"))
    assert await read(log) == []
    async with held(postgres_url) as later:
        await later.run("BEGIN")
        await later.append(event("7"))
        await keep(log, event("8"))
        await slow.run("COMMIT")
        assert await read(log) == ["5", "6"]
        await later.run("COMMIT")
        assert await read(log) == ["5", "6", "7", "8"]


async def test_transactions_that_append_nothing_delay_nobody(
    log: PostgresLog, slow: Held, bare_postgres_url: str
) -> None:
    other = await asyncpg.connect(bare_postgres_url)
    await other.execute("BEGIN; CREATE TABLE t (); SELECT pg_advisory_xact_lock_shared(1953063937, 1)")
    await slow.run("BEGIN; SELECT pg_current_xact_id(); SELECT pg_advisory_xact_lock(1953063937, 2)")
    await keep(log, event("1"))
    async with asyncio.timeout(60):
        assert await read(log) == ["1"]
        await slow.append(event("2"))
        await slow.run("ROLLBACK")
        await keep(log, event("3"))
        assert await read(log) == ["1", "3"]
    await other.close()


async def test_whoever_loses_leaves_no_hole(log: PostgresLog) -> None:
    await keep(log, event("1"))
    await refusal(log, event("new"), event("1", data=b"2"))
    await refusal(log, event("2"), expected={"subject/1": 0})
    assert (await keep(log, event("1"))).outcome == "duplicate"
    assert (await keep(log, event("3"))).positions == (2,)


async def test_what_a_savepoint_took_back_never_comes(log: PostgresLog, slow: Held) -> None:
    await slow.run("BEGIN; SAVEPOINT s")
    await slow.append(event("1"))
    await slow.run("ROLLBACK TO s")
    await slow.append(event("2"), event("1"))
    await keep(log, event("3"))
    assert await read(log) == []
    await slow.run("COMMIT")
    assert await read(log) == ["2", "1", "3"]


async def test_a_unit_sees_what_it_appended_and_nobody_learns_from_that(log: PostgresLog, slow: Held) -> None:
    await keep(log, event("1"))
    async with log._database.transaction() as connection:
        [receipt] = await log._appender.append_in(connection, [Write(envelopes=(event("2"),))])
        assert await ids_in(log) == ["1", "2"]
        assert (await log.head()).position == receipt.positions[0]
        assert [entry.envelope.id for entry in await log.at(receipt.positions)] == ["2"]
        await slow.run("BEGIN")
        await slow.append(event("3"))
        assert await ids_in(log) == ["1", "2"]
    assert await ids_in(log) == ["1", "2"]
    await slow.run("COMMIT")
    assert await ids_in(log) == ["1", "2", "3"]


async def test_a_position_above_a_hole_is_no_position_beyond_the_log(log: PostgresLog, slow: Held) -> None:
    """A receipt's position may be asked for before the log is final up to it."""
    await slow.run("BEGIN")
    await slow.append(event("1"))
    [second] = (await keep(log, event("2"))).positions
    await keep(log, event("3"))
    assert [entry.envelope.id for entry in (await log.read(after=second, limit=9)).entries] == ["3"]
    assert (await log.read(after=second, limit=9, where=WANTED)).upto == second
    await slow.run("COMMIT")
    assert await ids_in(log) == ["1", "2", "3"]
    with pytest.raises(LogRewoundError):
        await log.read(after=99, limit=9)


async def test_a_prepared_append_holds_its_readers_over_a_restart() -> None:
    with own(NEWEST) as server:
        log = await open_log(server.url("postgres"))
        async with held(server.url("postgres")) as slow:
            await slow.run("BEGIN")
            await slow.append(event("1"))
            await slow.run("PREPARE TRANSACTION 'one'")
        await keep(log, event("2"))
        assert await read(log) == []
        server.stop()
        server.start()
        await log.close()
        log = await open_log(server.url("postgres"))
        await keep(log, event("3"))
        assert await read(log) == []
        async with held(server.url("postgres")) as again:
            await again.run("COMMIT PREPARED 'one'")
        assert await read(log) == ["1", "2", "3"]
        await log.close()


async def test_a_crash_of_the_server_leaves_a_hole_that_is_passed() -> None:
    """What it logs of the sequence runs ahead, so numbers are skipped."""
    with own(NEWEST) as server:
        log = await open_log(server.url("postgres"))
        [first] = (await keep(log, event("1"))).positions
        await log.close()
        server.kill()
        server.start()
        log = await open_log(server.url("postgres"))
        [second] = (await keep(log, event("2"))).positions
        assert second > first + 1
        assert await read(log) == ["1", "2"]
        await log.close()
