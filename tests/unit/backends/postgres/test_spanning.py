"""A view whose rows hold events of many subjects, carried by two processes: each locks rows the other one needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from msgspec import structs

from tests.unit.backends.postgres.room import Opened, opened
from tests.unit.consumers.clock import HandClock
from tests.unit.views.events import Bookmarked, envelope, shelves
from tidings.consumers.consumer import Consumer
from tidings.consumers.leases import TTL
from tidings.errors import ContendedError
from tidings.events.envelope import Entry
from tidings.events.identity import slot_of
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.unit import Unit
from tidings.views.folder import Folder

OWNERS = ("one", "two")
STEPS = 20
TWEETS = {slot_of("", "", tweet) * 2 >> 10: tweet for tweet in map(str, range(20))}
"""A subject of each of two partitions."""
VIEW = shelves()
UNREADABLE = ""
"""The user of an event that cannot be read: nothing is locked when its page fails."""


class Meeting(Folder):
    """Folds; a process that was handed one entry, one of these, goes on when the other one has come as far."""

    def __init__(self, log: Log, ids: set[str]) -> None:
        super().__init__(VIEW, VIEW.table(1), log)
        self.contended = 0
        self._ids = ids
        self._both = asyncio.Barrier(2)

    async def apply(self, unit: Unit, entries: Sequence[Entry], *, gated: bool = False) -> None:
        try:
            await super().apply(unit, entries, gated=gated)
        except ContendedError:
            self.contended += 1
            raise
        if len(entries) == 1 and entries[0].envelope.id in self._ids:
            self._ids.remove(entries[0].envelope.id)
            await self._both.wait()


async def carried(at: Opened, users: Sequence[Sequence[str]], *, met_at: int) -> int:
    """Have two processes carry bookmarks of these users, a partition each; return how often PostgreSQL ended a unit.

    They meet when each has folded the entry at this place of its partition, if that comes alone.
    """
    ports = replace(Ports(), clock=HandClock())
    log = Log(at.log, ports)
    await at.store.create_view(VIEW.record(1, "current"))
    said = [
        structs.replace(found, data=b"{}") if user == UNREADABLE else found
        for part, each in enumerate(users)
        for n, user in enumerate(each)
        for found in [envelope(Bookmarked(TWEETS[part], user), f"{part}-{n}")]  # type: ignore[call-arg]
    ]
    await log.append(said)
    reaction = Meeting(log, {f"{part}-{met_at}" for part in range(2)})
    await at.store.register(reaction.name, partitions=2, start=0)
    for owner in OWNERS:
        await at.store.ask(reaction.name, owner=owner, ttl=TTL)

    async def run(owner: str) -> None:
        consumer = Consumer(reaction, log=log, store=at.store, ports=ports, owner=owner)
        for _ in range(STEPS):
            await consumer.step(asyncio.Event())

    await asyncio.gather(*map(run, OWNERS))
    owners = {each.owner for each in (await at.store.checkpoints(reaction.name)).values()}
    assert owners == set(OWNERS), "each has carried a partition"
    return reaction.contended


async def shown(at: Opened) -> list[tuple[object, ...]]:
    return sorted(row.values for row in await at.store.select(VIEW.table(1), equal={}, after=None, limit=100))


async def test_what_is_handled_in_parts_takes_no_row_out_of_order(postgres_url: str) -> None:
    async with opened(postgres_url) as at:
        assert await carried(at, [["b", "a"], ["a", "b"]], met_at=0) == 0
        assert await shown(at) == [("a", 2), ("b", 2)]


async def test_the_search_for_an_entry_that_fails_takes_no_row_out_of_order(postgres_url: str) -> None:
    async with opened(postgres_url) as at:
        users = [["x", "b", "a", UNREADABLE], ["y", "a", "b", UNREADABLE]]
        assert await carried(at, users, met_at=1) == 0
        assert await shown(at) == [("a", 2), ("b", 2), ("x", 1), ("y", 1)]
