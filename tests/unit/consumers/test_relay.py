"""The relay: from a store's outbox to a log that lies elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tidings.backends.sqlite import open_sqlite
from tidings.backends.sqlite.database import Database
from tidings.backends.sqlite.store import SqliteStore
from tidings.conformance.samples import event, everything, ids_in, keep
from tidings.conformance.store_samples import entry, reason
from tidings.consumers.relay import OUTBOX, Relay
from tidings.events.envelope import Envelope
from tidings.log.driver import LogDriver
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.versions.retelling import Retelling

PAGE = 4


@dataclass
class Room:
    store: SqliteStore
    driver: LogDriver
    log: Log
    relay: Relay

    async def stage(self, *envelopes: Envelope) -> None:
        async with self.store.unit() as unit:
            unit.emit(envelopes)

    async def carried(self) -> list[int]:
        counts = []
        while counts[-1:] != [0]:
            counts.append(await self.relay.carry())
        return counts


@pytest.fixture
async def at() -> AsyncIterator[Room]:
    store = SqliteStore(Database(":memory:"), Ports())
    elsewhere = open_sqlite(":memory:", Ports())
    log = Log(elsewhere.log, Ports())
    yield Room(store, elsewhere.log, log, Relay(store, log, Ports(), Retelling(log.find, {}), page=PAGE))
    await log.close()
    await elsewhere.close()
    await store.close()


async def test_what_is_staged_arrives_in_order_a_page_at_a_time(at: Room) -> None:
    await at.stage(*(event(str(n)) for n in range(10)))
    assert await at.carried() == [4, 4, 2, 0]
    assert await ids_in(at.driver) == [str(n) for n in range(10)]


async def test_what_arrived_before_is_not_appended_again(at: Room) -> None:
    await keep(at.driver, event("a"))
    await at.stage(event("a"), event("b"))
    await at.carried()
    assert await ids_in(at.driver) == ["a", "b"]


async def test_an_id_with_other_content_is_set_aside_and_holds_nobody_up(at: Room) -> None:
    await keep(at.driver, event("b"))
    await at.stage(event("a"), event("b", data=b"2"), event("c"), event("c", data=b"3"), event("d"), event("e"))
    await at.carried()
    assert await ids_in(at.driver) == ["b", "a", "c", "d", "e"]
    [parked] = await at.store.parked()
    assert (parked.consumer, parked.state, parked.reason, parked.entries) == (OUTBOX, "dead", "id-taken", 2)
    assert parked.error == (
        "ConflictError: the staged event ('https://suite.example/one', 'c') is kept at 4 with other content; "
        "the others of its transaction were appended"
    )
    letters = await at.store.dead_letters(OUTBOX, parked.subject, limit=9)
    assert [letter.entry.envelope.data for letter in letters] == [b"2", b"3"]


async def test_what_is_set_aside_can_be_redriven_and_is_refused_again_or_dropped(at: Room) -> None:
    await keep(at.driver, event("b"))
    await at.stage(event("b", data=b"2"), event("b", data=b"3"))
    await at.carried()
    [parked] = await at.store.parked()
    await at.store.schedule_redrive(OUTBOX, parked.subject, at=0)
    await at.relay.redrive()
    [again] = await at.store.parked()
    assert (again.state, again.entries) == ("dead", 2)
    assert "the staged event" in again.error
    for _ in range(2):
        [parked] = await at.store.parked()
        await at.store.drop(OUTBOX, parked.subject, parked.first_position, reason="a slip")
        await at.relay.redrive()
    assert await at.store.parked() == []
    assert await ids_in(at.driver) == ["b"]


async def test_what_may_be_kept_after_all_is_appended_when_it_is_redriven(at: Room) -> None:
    async with at.store.unit() as unit:
        await unit.park(OUTBOX, "subject/1", [entry(7, id="a")], reason(0))
    await at.relay.redrive()
    assert await ids_in(at.driver) == ["a"]
    assert await at.store.parked() == []


async def test_what_could_not_be_appended_is_still_there(at: Room) -> None:
    await at.stage(event("a"))
    await at.log.close()
    with pytest.raises(Exception, match="closed"):
        await at.relay.carry()
    async with at.store.unit() as unit:
        assert len(await unit.take_outbox(limit=9)) == 1


async def test_it_runs_until_it_is_stopped_and_looks_at_once_when_woken(at: Room) -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(at.relay.run(stopping))
    for n in range(3):
        await at.stage(event(str(n)))
        at.relay.wake()
        while len(await everything(at.driver)) <= n:
            await asyncio.sleep(0)
    stopping.set()
    await running
    assert await ids_in(at.driver) == ["0", "1", "2"]
