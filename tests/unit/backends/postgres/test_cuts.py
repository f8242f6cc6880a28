"""A unit whose connection is cut at each of its statements, on the way there and on the way back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.postgres.proxy import Door
from tests.unit.backends.postgres.room import Opened, opened
from tidings.backends.postgres.store import PostgresStore
from tidings.conformance.samples import event
from tidings.conformance.store_samples import FAILED, claimed_one, delivery, entry, made, row, table
from tidings.errors import CheckpointMovedError, RefusedError, StoreUnavailableError
from tidings.store.claims import Claim
from tidings.store.rows import ViewTable

VIEW = table(spans=True)
MOST = 200


@dataclass
class Room:
    door: Door
    beside: Opened
    claim: Claim
    view: ViewTable


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Room]:
    async with Door(postgres_url) as door, opened(postgres_url) as beside:
        async with beside.store.unit() as unit:
            await unit.sql.execute("CREATE TABLE note (key text)")
        yield Room(door, beside, await claimed_one(beside.store), await made(beside.store, VIEW))


async def do(at: Room, store: PostgresStore, nth: int) -> None:
    """Do, from the position before, once each, all that a unit can do."""
    key = str(nth)
    async with store.unit(at.claim.at(nth - 1)) as unit:
        await unit.rows(at.view, [(key,)])
        await unit.replace(at.view, [row(key, 1)])
        await unit.join(at.view, [((key,), nth)])
        await unit.park("another", f"subject/{key}", [entry(nth, subject=f"subject/{key}")], FAILED)
        await unit.intend([delivery(key)])
        await unit.command("shop", key)
        async with unit.savepoint():
            await unit.remember("shop", key, 1)
        await unit.sql.execute("INSERT INTO note VALUES ($1)", (key,))
        unit.emit([event(key)])
        unit.advance(to=nth)


async def kept(at: Room, nth: int) -> set[int]:
    """Return how often each part of the nth unit is there: {0} if nothing is, {1} if all of it is, once."""
    key = str(nth)
    return {
        count
        for query in (
            "SELECT count(*) FROM suite.sample__v1 WHERE key = $1",
            "SELECT count(*) FROM suite.sample__v1__members WHERE key = $1",
            "SELECT count(*) FROM tidings.dead_letter WHERE pos = $1::text::bigint",
            "SELECT count(*) FROM tidings.parked WHERE subject = convert_to('subject/' || $1, 'UTF8')",
            "SELECT count(*) FROM tidings.delivery WHERE key = $1",
            "SELECT count(*) FROM tidings.command WHERE key = $1",
            "SELECT count(*) FROM note WHERE key = $1",
            "SELECT count(*) FROM tidings.log WHERE id = $1",
            "SELECT count(*) FROM tidings.checkpoint WHERE pos >= $1::text::bigint",
        )
        for (count,) in await at.beside.rows(query, key)
    }


@contextmanager
def cutting(door: Door, piece: int, *, to_server: bool) -> Iterator[None]:
    """Cut the connection on which so many pieces have passed this way."""
    left = piece

    def may_pass(is_to_server: bool) -> bool:
        nonlocal left
        left -= is_to_server is to_server
        return left > 0 or is_to_server is not to_server

    door.may_pass = may_pass
    try:
        yield
    finally:
        door.may_pass = lambda is_to_server: True


@pytest.mark.parametrize("to_server", [True, False])
async def test_a_unit_that_is_cut_at_any_statement_is_there_once_or_not_at_all(at: Room, to_server: bool) -> None:
    outcomes: list[set[int]] = []
    for nth in range(1, MOST):
        async with opened(at.door.url) as cut:  # with new connections, so that each statement is prepared anew
            try:
                with cutting(at.door, nth, to_server=to_server):
                    await do(at, cut.store, nth)
            except StoreUnavailableError:
                outcomes.append(await kept(at, nth))
            else:
                break
            if outcomes[-1] == {0}:
                await do(at, cut.store, nth)
            else:
                with pytest.raises((CheckpointMovedError, RefusedError)):
                    await do(at, cut.store, nth)
        assert await kept(at, nth) == {1}
    assert len(outcomes) > 20
    assert {0} in outcomes
    assert all(outcome in ({0}, {1}) for outcome in outcomes)
    assert ({1} in outcomes) is not to_server  # only then was it committed without a word of it
