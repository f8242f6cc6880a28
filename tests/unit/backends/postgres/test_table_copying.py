"""Rows that were not there are copied into a view's table, whatever others do meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.backends.postgres.room import Opened, opened
from tests.unit.views.events import Bookmarked, bookmarks, envelope
from tidings.backends.postgres.table_copying import LEAST, NewRows
from tidings.backends.postgres.unit import PostgresUnit
from tidings.conformance.store_samples import claimed_one, replace_rows, row, undone
from tidings.consumers.consumer import Consumer
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.rows import Key, Row, ViewTable
from tidings.views.folder import Folder

VIEW = bookmarks()
TABLE = VIEW.table(1)
SAID = [Bookmarked(f"t{n:04}", "jack") for n in range(1_100)]  # type: ignore[call-arg]
KEYS: list[Key] = [(each.user_id, each.tweet_id) for each in SAID]


class Copies:
    """Counts the rows of each copy."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.counts: list[int] = []
        copy = NewRows.copy

        async def counted(self_: NewRows, connection: Any, rows: Sequence[Sequence[Any]]) -> None:
            self.counts.append(len(rows))
            await copy(self_, connection, rows)

        patch.setattr(NewRows, "copy", counted)


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Copies:
    monkeypatch.setattr("tidings.backends.postgres.store.UNIT_SECONDS", 600.0)  # pages grow, however slow this is
    return Copies(monkeypatch)


async def carry(at: Opened) -> None:
    """Append the bookmarks, and have a consumer carry them into the view."""
    log = Log(at.log, Ports())
    await at.store.create_view(VIEW.record(1, "current"))
    await log.append([envelope(said, str(n)) for n, said in enumerate(SAID)])
    consumer = Consumer(Folder(VIEW, TABLE, log), log=log, store=at.store, ports=Ports(), owner="one")
    head = (await log.head()).position
    for _ in range(50):
        await consumer.step(asyncio.Event())
        if await stands(at) == head:
            return
    raise AssertionError(f"the consumer stands at {await stands(at)} of {head}")


async def stands(at: Opened) -> int:
    return min([each.position for each in (await at.store.checkpoints(TABLE.consumer)).values()], default=0)


async def kept(at: Opened) -> list[Row]:
    return list(await at.store.every(TABLE, after=None, limit=10_000))


async def test_a_page_of_new_rows_is_copied(postgres_url: str, copies: Copies) -> None:
    async with opened(postgres_url) as at:
        await carry(at)
        assert [each.values for each in await kept(at)] == KEYS
        assert copies.counts == [200, 400, 400]


async def test_a_row_that_somebody_makes_meanwhile_has_its_page_done_again(
    postgres_url: str, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an append may, into an inline table that is being built beside."""
    rows, theirs = PostgresUnit.rows, [row(*KEYS[500], at=1, position=501)]

    async def raced(self: PostgresUnit, view: ViewTable, keys: Sequence[Key]) -> object:
        found = await rows(self, view, keys)
        if theirs and KEYS[500] in keys:
            async with opened(postgres_url) as other:
                await replace_rows(other.store, TABLE, theirs.pop())
        return found

    monkeypatch.setattr(PostgresUnit, "rows", raced)
    async with opened(postgres_url) as at:
        await carry(at)
        assert not theirs
        assert copies.counts == [200, 400, 399, 400]  # the second page, and once more without what is there now
        assert [each.values for each in await kept(at)] == KEYS
        assert not await at.store.parked(TABLE.consumer)


@pytest.mark.parametrize("count", [LEAST - 1, LEAST])
async def test_only_rows_that_the_unit_alone_may_make_are_copied(postgres_url: str, copies: Copies, count: int) -> None:
    given = [row(*key) for key in KEYS[:count]]
    async with opened(postgres_url) as at:
        await at.store.create_view(VIEW.record(1, "current"))
        for claims in ((), (await claimed_one(at.store, "another"),)):
            async with undone(at.store.unit(*claims)) as unit:
                await unit.rows(TABLE, KEYS[:count])
                await unit.replace(TABLE, given)
        assert copies.counts == []
        async with at.store.unit(await claimed_one(at.store, TABLE.consumer)) as unit:
            await unit.rows(TABLE, KEYS[:count])
            await unit.replace(TABLE, given)
        assert copies.counts == [LEAST] * (count == LEAST)
        assert await kept(at) == given


async def test_what_a_part_that_is_undone_did_not_see_is_not_taken_for_absent(
    postgres_url: str, copies: Copies
) -> None:
    given = [row(*key, at=2) for key in KEYS[:LEAST]]
    async with opened(postgres_url) as at:
        await at.store.create_view(VIEW.record(1, "current"))
        await replace_rows(at.store, TABLE, *[row(*key, kind=1) for key in KEYS[:LEAST]])
        async with at.store.unit(await claimed_one(at.store, TABLE.consumer)) as unit:
            with pytest.raises(ZeroDivisionError):
                async with unit.savepoint():
                    await unit.purge(TABLE, {key: row(*key, kind=1).rank for key in KEYS[:LEAST]})
                    assert not await unit.rows(TABLE, KEYS)
                    raise ZeroDivisionError
            await unit.replace(TABLE, given)
        assert copies.counts == []
        assert await kept(at) == given


async def test_what_was_put_since_is_not_taken_for_absent(postgres_url: str, copies: Copies) -> None:
    given = [row(*key, at=2) for key in KEYS[:LEAST]]
    async with opened(postgres_url) as at:
        await at.store.create_view(VIEW.record(1, "current"))
        async with at.store.unit(await claimed_one(at.store, TABLE.consumer)) as unit:
            await unit.rows(TABLE, KEYS)
            await unit.put(TABLE, [row(*key) for key in KEYS[:LEAST]])
            await unit.replace(TABLE, given)
        assert copies.counts == []
        assert await kept(at) == given
