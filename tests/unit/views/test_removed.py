"""An event that comes late for a row whose events were removed from the log is parked, and the row stays as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from tests.unit.views.poison import Account, Bank, Moved, Owner, moved
from tidings import App, Service, Settings
from tidings.store.rows import Key
from tidings.views.declaration import Mode

SIZE = 1 << 24
each_kind = pytest.mark.parametrize(("mode", "spans"), [("async", False), ("async", True), ("inline", False)])


def app(mode: Mode, *, spans: bool) -> App:
    """Return an application whose view folds whatever it is given, as a sum does: a history with a gap is no error."""
    made, row = Service("bank"), Owner if spans else Account
    made.view(key=("owner" if spans else "account",), mode=mode)(row)

    def move(before: Any, event: Any) -> Any:
        moves = [] if before is None else before.moves
        return row(event.owner if spans else event.account, [*moves, event.amount])

    made.fold(row, Moved)(move)
    return App(made)


@asynccontextmanager
async def taken_off(url: str, mode: Mode, *, spans: bool) -> AsyncIterator[tuple[Bank, Key]]:
    """A bank whose first partition was taken off, as an operator does it, with moves of an account that has more."""
    async with app(mode, spans=spans).open(Settings(database_url=url)) as application:
        bank, connection = Bank(application), await asyncpg.connect(url)
        await bank.take(moved(1, 1), moved(2, 5))
        await connection.execute("SELECT setval('tidings.position', $1, false)", SIZE + 1)
        await bank.take(moved(3, 6))
        await connection.execute("UPDATE tidings.head SET floor_pos = $1", SIZE - 1)
        await connection.execute("ALTER TABLE tidings.log DETACH PARTITION tidings.log_0 CONCURRENTLY")
        await connection.close()
        yield bank, ("jack",) if spans else ("a",)


@each_kind
async def test_a_row_whose_events_were_removed_is_not_folded_anew_from_what_is_left(
    postgres_url: str, mode: Mode, spans: bool
) -> None:
    async with taken_off(postgres_url, mode, spans=spans) as (bank, key):
        before = (await bank.rows())[key]
        await bank.take(moved(9, 3))
        [parked] = await bank.parked()
        assert (await bank.rows())[key] == before
        assert (parked.reason, parked.state, parked.subject) == ("fold-failed", "dead", "a")
        assert f"up to {SIZE - 1} were removed from the log" in str(parked.error)


async def test_a_partition_that_is_put_back_lets_the_event_be_redriven(postgres_url: str) -> None:
    async with taken_off(postgres_url, "async", spans=False) as (bank, key):
        await bank.take(moved(9, 3))
        [parked] = await bank.parked()
        connection = await asyncpg.connect(postgres_url)
        await connection.execute(
            "ALTER TABLE tidings.log ATTACH PARTITION tidings.log_0 FOR VALUES FROM (0) TO (16777216)"
        )
        await connection.execute("UPDATE tidings.head SET floor_pos = 0")
        await connection.close()
        await bank.store.schedule_redrive(parked.consumer, "a", at=bank.opened.ports.clock.now_us())
        await bank.flows()
        assert (await bank.rows())[key] == [1, 9, 2, 3]


async def test_a_row_all_of_whose_events_are_kept_takes_what_comes_late(postgres_url: str) -> None:
    async with taken_off(postgres_url, "async", spans=False) as (bank, _):
        await bank.take(moved(5, 9, account="b"), moved(4, 8, account="b"))
        assert ((await bank.rows())[("b",)], await bank.parked()) == ([4, 5], [])
