"""What one process has proved final no other one has to prove again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conformance.postgres_harness import open_log
from tests.postgres.held import Held, held
from tidings.backends.postgres import safe
from tidings.backends.postgres.log import PostgresLog
from tidings.conformance.samples import event, ids_in, keep


@pytest.fixture
async def slow(postgres_url: str) -> AsyncIterator[Held]:
    async with held(postgres_url) as connection:
        yield connection


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[PostgresLog]:
    opened = await open_log(postgres_url)
    yield opened
    await opened.close()


async def written(at: Held) -> int:
    position: int = await at.connection.fetchval("SELECT safe_pos FROM tidings.head")
    return position


async def burn(at: Held) -> None:
    """Draw a position that nothing will ever stand at."""
    await at.run("BEGIN")
    await at.append(event("burnt"))
    await at.run("ROLLBACK")


async def test_what_a_process_has_read_it_writes_down(log: PostgresLog, slow: Held) -> None:
    await keep(log, event("1"))
    await burn(slow)
    await keep(log, event("3"))
    assert await ids_in(log) == ["1", "3"]
    await log.close()
    assert await written(slow) == 3


async def test_another_process_passes_holes_below_it_without_waiting_for_who_appends(
    log: PostgresLog, slow: Held, postgres_url: str
) -> None:
    await keep(log, event("1"))
    await burn(slow)
    await keep(log, event("3"))
    assert await ids_in(log) == ["1", "3"]
    await log.close()
    await slow.run("BEGIN")
    await slow.append(event("4"))  # who looks only now cannot know that this one does not own position 2
    other = await open_log(postgres_url)
    try:
        page = await other.read(after=0, limit=9)
    finally:
        await other.close()
    assert [entry.envelope.id for entry in page.entries] == ["1", "3"]


async def test_what_may_yet_be_filled_is_not_written_down(log: PostgresLog, slow: Held) -> None:
    await keep(log, event("1"))
    await slow.run("BEGIN")
    await slow.append(event("2"))
    await keep(log, event("3"))
    assert await ids_in(log) == ["1"]
    await log.close()
    assert await written(slow) == 1
    await slow.run("COMMIT")


async def test_it_is_not_written_again_before_its_time(
    log: PostgresLog, slow: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe, "APART_SECONDS", 3_600)
    await keep(log, event("1"))
    assert await ids_in(log) == ["1"]
    while await written(slow) == 0:
        await log.head()
    for n in range(2, 9):
        await keep(log, event(str(n)))
        await log.read(after=n - 1, limit=9)
    assert await written(slow) == 1
    await log.close()
    assert await written(slow) == 8


async def test_it_never_goes_back(log: PostgresLog, slow: Held) -> None:
    await keep(log, event("1"))
    await slow.run("SELECT setval('tidings.position', 2); UPDATE tidings.head SET safe_pos = 2")
    assert await ids_in(log) == ["1"]
    await log.close()
    assert await written(slow) == 2
