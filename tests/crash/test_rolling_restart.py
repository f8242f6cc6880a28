"""Real servers on one PostgreSQL are restarted one after the other, while clients go on sending to all of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.crash import shop
from tests.crash.clients import Clients
from tests.crash.processes import PATIENCE
from tests.crash.random_kills import check, until_done
from tests.crash.selling import make_tables
from tests.crash.server import Server
from tests.crash.telling import note
from tidings.app.opened import Opened
from tidings.consumers.leases import TTL
from tidings.log.driver import Position
from tidings.ports import is_gone
from tidings.store.claims import Checkpoint

LOOK = 0.05
EVENLY = [5, 5, 6]


class Standing:
    """The longest times of a restart, in seconds.

    `unheld`: that a partition had no living process. `still`: that a consumer moved none of its partitions, though
    there were entries for it. That one partition waits while others catch up is no stall: those furthest behind go
    first.
    """

    def __init__(self, opened: Opened) -> None:
        self.unheld = 0.0
        self.still = 0.0
        self._opened = opened
        self._held: dict[tuple[str, int], float] = {}
        self._moved: dict[str, tuple[int, float]] = {}

    async def watch(self) -> None:
        while True:
            for consumer in await self._opened.store.consumers():
                head = (await self._opened.log.head()).position
                self._look(consumer, await self._opened.store.checkpoints(consumer), head, time.monotonic())
            await asyncio.sleep(LOOK)

    def _look(self, consumer: str, checkpoints: Mapping[int, Checkpoint], head: Position, now: float) -> None:
        for part, checkpoint in checkpoints.items():
            if checkpoint.owner is None or is_gone(checkpoint.owner):
                self.unheld = max(self.unheld, now - self._held.setdefault((consumer, part), now))
            else:
                self._held[consumer, part] = now
        total = sum(checkpoint.position for checkpoint in checkpoints.values())
        before, since = self._moved.get(consumer, (-1, now))
        if total != before or total == head * len(checkpoints):
            self._moved[consumer] = total, now
        else:
            self.still = max(self.still, now - since)


@asynccontextmanager
async def loaded(clients: Clients) -> AsyncIterator[None]:
    """Have the clients send meanwhile; all that they began is answered in the end."""
    stopping = asyncio.Event()
    sending = asyncio.create_task(clients.run(stopping))
    try:
        yield
        stopping.set()
        await sending
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


@asynccontextmanager
async def watched(opened: Opened) -> AsyncIterator[Standing]:
    standing = Standing(opened)
    watching = asyncio.create_task(standing.watch())
    try:
        yield standing
        assert not watching.done()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def owners(opened: Opened) -> dict[str, Counter[str | None]]:
    """Return, for each consumer, how many partitions each process holds."""
    store = opened.store
    return {
        consumer: Counter(each.owner for each in (await store.checkpoints(consumer)).values())
        for consumer in await store.consumers()
    }


async def until_spread(opened: Opened, shares: list[int]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await is_spread(opened, shares):
            await asyncio.sleep(LOOK)


async def is_spread(opened: Opened, shares: list[int]) -> bool:
    held = await owners(opened)
    return bool(held) and all(sorted(each.values()) == shares for each in held.values())


async def test_a_rolling_restart_leaves_no_partition_waiting_for_a_lease_to_end(
    tmp_path: Path, postgres_url: str
) -> None:
    note(tmp_path / shop.DATABASE, postgres_url)
    app = shop.make(tmp_path)
    await make_tables(app, tmp_path)
    servers = [Server(tmp_path, f"server-{n}") for n in range(3)]
    clients = Clients([server.url for server in servers], seed=1)
    try:
        async with app.open(shop.settings(tmp_path), consume=False) as opened:
            for server in servers:
                server.start()
            await until_spread(opened, EVENLY)
            async with loaded(clients), watched(opened) as standing:
                for server in servers:
                    assert await server.stop() == 0, server.last_words()
                    held = await owners(opened)
                    assert not [owner for each in held.values() for owner in each if owner and is_gone(owner)]
                    server.start()
                    await until_spread(opened, EVENLY)
            print(f"a partition was without a process for {standing.unheld:.2f} s at the longest,")
            print(f"and a consumer stood still for {standing.still:.2f} s")
            # The lease is what is promised. Who leaves hands over at once, and the others look twice a second: the rest
            # is room for a machine that does much else.
            assert standing.unheld < TTL.total_seconds()
            assert standing.still < TTL.total_seconds()
            await until_done(tmp_path)
        for server in servers:
            assert await server.stop() == 0, server.last_words()
        assert await check(tmp_path, clients.witness) > 0
    finally:
        for server in servers:
            server.leave_nothing()
