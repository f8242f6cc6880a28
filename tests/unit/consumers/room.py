"""A log and a store in memory, a clock moved by hand, and reactions that leave traces in a table."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from tests.unit.consumers.clock import HandClock
from tidings.backends.sqlite import Sqlite, open_sqlite
from tidings.consumers.consumer import Consumer
from tidings.consumers.reaction import Reaction
from tidings.consumers.work import Rest
from tidings.errors import TidingsError
from tidings.events.envelope import Entry, Envelope
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.parking import Parked
from tidings.store.unit import Unit

STEPS = 2_000
Fault = Callable[[Entry], BaseException | None]


class Died(BaseException):
    """The process ends here."""


async def _die() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.Event().wait()


class Trail:
    """A reaction that inserts each entry into `trail`, and raises what `fault` says, after the insert.

    With `Died` the process ends there, as far as a test can have it: nothing that comes after it is done.
    """

    def __init__(self, name: str = "trail", types: frozenset[str] = frozenset({"said"})) -> None:
        self.name = name
        self.types = types
        self.spans = False
        self.fault: Fault = lambda entry: None
        self.before: Callable[[], Awaitable[None]] | None = None
        self.emits: Callable[[Entry], Envelope | None] = lambda entry: None
        self.calls: list[tuple[int, ...]] = []
        self.gated: list[int] = []

    async def apply(self, unit: Unit, entries: Sequence[Entry], *, gated: bool = False) -> None:
        self.calls.append(tuple(entry.position for entry in entries))
        for entry in entries:
            await unit.sql.execute(
                "INSERT INTO trail (consumer, pos, id, subject) VALUES (?, ?, ?, ?)", self._row(entry)
            )
            if self.before is not None:
                await self.before()
            error = self.fault(entry)
            if isinstance(error, Died):
                await _die()
            if error is not None:
                raise error
            emitted = None if gated else self.emits(entry)
            if emitted is not None:
                unit.emit([emitted])
            if gated:
                self.gated.append(entry.position)

    def _row(self, entry: Entry) -> tuple[object, ...]:
        return self.name, entry.position, entry.envelope.id, entry.envelope.subject


class Points:
    """Calls `hook` with each point that is passed."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.hook: Callable[[str], None] = lambda name: None

    def at(self, name: str) -> None:
        self.passed.append(name)
        self.hook(name)


class Room:
    def __init__(self, opened: Sqlite, ports: Ports, clock: HandClock, points: Points) -> None:
        self.store: StoreDriver = opened.store
        self.log = Log(opened.log, ports)
        self.ports = ports
        self.clock = clock
        self.points = points

    def consumer(self, reaction: Reaction, *, owner: str = "one", carries: bool = True) -> Consumer:
        return Consumer(reaction, log=self.log, store=self.store, ports=self.ports, owner=owner, carries=carries)

    async def say(self, *subjects: str | None, type: str = "said") -> list[int]:
        """Append one event of each of these subjects; return where they stand."""
        head = (await self.log.head()).position
        envelopes = [
            Envelope(id=f"{type}-{head}-{n}", source="/test", type=type, subject=subject, data=b"{}")
            for n, subject in enumerate(subjects)
        ]
        return list((await self.log.append(envelopes)).positions)

    async def trail(self, consumer: str = "trail") -> list[int]:
        """Return the positions that were handled, in the order they were."""
        async with self.store.unit() as unit:
            rows = await unit.sql.fetch("SELECT pos FROM trail WHERE consumer = ? ORDER BY n", (consumer,))
        return [position for (position,) in rows]

    async def at(self, consumer: str = "trail") -> int:
        return min(each.position for each in (await self.store.checkpoints(consumer)).values())

    async def parked(self, consumer: str = "trail") -> dict[str, Parked]:
        return {each.subject: each for each in await self.store.parked(consumer)}

    async def waiting(self, subject: str, consumer: str = "trail") -> list[int]:
        letters = await self.store.dead_letters(consumer, subject, limit=1_000)
        return [letter.entry.position for letter in letters]

    def partitions(self, count: int) -> None:
        """Have new consumers take this many partitions."""
        self.store.facts = replace(self.store.facts, partitions=count)


async def until_idle(consumer: Consumer, stopping: asyncio.Event | None = None) -> Rest:
    """Step until there is nothing more to do now."""
    stopping, rested = stopping or asyncio.Event(), 0
    for _ in range(STEPS):
        rest = await consumer.step(stopping)
        rested = rested + 1 if rest is not None else 0
        if rest is not None and rested == 2:
            return rest
    raise TidingsError(f"it is not idle after {STEPS} steps")


@asynccontextmanager
async def room(path: str = ":memory:", *, seed: int = 1) -> AsyncIterator[Room]:
    clock, points = HandClock(), Points()
    ports = Ports(clock=clock, random=random.Random(seed), points=points)
    opened = open_sqlite(path, ports)
    made = Room(opened, ports, clock, points)
    async with made.store.unit() as unit:
        await unit.sql.execute(
            "CREATE TABLE IF NOT EXISTS trail "
            "(n INTEGER PRIMARY KEY, consumer TEXT, pos INTEGER, id TEXT, subject TEXT, UNIQUE (consumer, pos))"
        )
    try:
        yield made
    finally:
        await made.log.close()
        await opened.close()
