"""A large append works its draft out while BEGIN is on its way: whatever comes then, no transaction is left open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.unit.backends.postgres.room import Opened, opened
from tidings.backends.postgres.appending import COPIED_FROM, PostgresAppender
from tidings.conformance.samples import event
from tidings.conformance.store_inline import BUILDING, Counting
from tidings.conformance.store_samples import rows_in
from tidings.log.driver import Write

OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
TURNS = (*range(6), *range(100, 6_000, 300))
"""Of the event loop, after which it is cancelled: from before BEGIN is sent to where rows are copied."""


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Opened]:
    async with opened(postgres_url) as room:
        yield room


def large(name: str) -> list[Write]:
    return [Write(envelopes=tuple(event(f"{name}-{n}", subject=f"{name}/{n}") for n in range(COPIED_FROM)))]


async def test_a_draft_that_raises_keeps_nothing_and_the_next_append_is_kept(
    at: Opened, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(self: PostgresAppender, writes: object, *, everywhere: bool) -> None:
        raise ValueError("a draft")

    with monkeypatch.context() as broken:
        broken.setattr(PostgresAppender, "_draft", raising)
        with pytest.raises(ValueError, match="a draft"):
            await at.log.append(large("a"))
    [receipt] = await at.log.append(large("a"))
    assert (receipt.outcome, len(receipt.positions)) == ("appended", COPIED_FROM)
    async with opened(postgres_url) as other:
        assert await other.rows("SELECT count(*) FROM tidings.log") == [(COPIED_FROM,)]
        assert await other.rows(OPEN) == [(0,)]


@pytest.mark.parametrize("turns", TURNS)
async def test_who_is_cancelled_at_any_turn_leaves_all_or_nothing_and_no_transaction(
    at: Opened, postgres_url: str, turns: int
) -> None:
    task = asyncio.create_task(at.log.append(large("a")))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    [(kept,)] = await at.rows("SELECT count(*) FROM tidings.log")
    assert kept in (0, COPIED_FROM)
    [receipt] = await at.log.append(large("a"))
    assert receipt.outcome == ("duplicate" if kept else "appended")
    async with opened(postgres_url) as other:
        assert await other.rows("SELECT count(*) FROM tidings.log") == [(COPIED_FROM,)]
        assert await other.rows(OPEN) == [(0,)]


async def test_a_large_append_is_folded_into_a_table_that_another_process_made(at: Opened, postgres_url: str) -> None:
    at.store.hold_inline(Counting(BUILDING))
    async with opened(postgres_url) as other:
        other.store.hold_inline(Counting(BUILDING))
        await other.store.create_view(BUILDING)
        for name in ("a", "b"):  # before it is known that they are folded, and after
            envelopes = tuple(event(f"{name}-{n}") for n in range(COPIED_FROM))
            [receipt] = await at.log.append([Write(envelopes=envelopes)])
            assert receipt.outcome == "appended"
        assert [each.values for each in await rows_in(at.store, BUILDING.table)] == [("subject/1", 2 * COPIED_FROM)]
