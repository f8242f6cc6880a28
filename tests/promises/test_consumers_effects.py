"""What consumers promise over any history: the effects are those of the set of causes, each once, and in order.

Processes end at any point of the code, or sleep past their leases and go on; handlers fail now and then; events are
appended twice.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.consumers.room import Room, room, until_idle
from tidings.consumers.consumer import Consumer
from tidings.events.envelope import Entry, Envelope
from tidings.store.deliveries import Delivery
from tidings.store.unit import Unit

SUBJECTS = ("a", "b", "c", None)
PATIENCE = 60


class Killed(BaseException):
    """The process ends here."""


class Ledger:
    """A handler that books each entry, emits an event and intends a delivery that follow from it; it fails at times."""

    name = "ledger"
    types = frozenset({"said"})
    spans = False

    def __init__(self, draw: random.Random, *, fails: float) -> None:
        self._draw = draw
        self.fails = fails

    async def apply(self, unit: Unit, entries: Sequence[Entry], *, gated: bool = False) -> None:
        for entry in entries:
            cause = entry.envelope.id
            await unit.sql.execute("INSERT INTO booked (cause, pos, subject) VALUES (?, ?, ?)", self._row(entry))
            unit.emit([Envelope(id=f"of {cause}", source="/ledger", type="booked", data=b"1")])
            await unit.intend([Delivery(key=cause, service="ledger", function="tell", payload=b"1")])
            if self._draw.random() < self.fails:
                raise ValueError(f"no {cause}")

    def _row(self, entry: Entry) -> tuple[str, int, str | None]:
        return entry.envelope.id, entry.position, entry.envelope.subject


class Histories:
    """One run: appends, lives of processes, and time, as drawn."""

    def __init__(self, at: Room, draw: random.Random) -> None:
        self.at = at
        self.draw = draw
        self.ledger = Ledger(draw, fails=0.2)
        self.appended: dict[str, str | None] = {}
        self._lives = 0
        self._alive: list[Consumer] = []
        self._kill_in: int | None = None
        at.points.hook = self._pass

    def _pass(self, name: str) -> None:
        if self._kill_in is None or name.startswith("append"):
            return
        self._kill_in -= 1
        if self._kill_in <= 0:
            raise Killed(name)

    async def append(self, count: int) -> None:
        self._kill_in = None
        for _ in range(count):
            known = self.draw.random() < 0.3 and self.appended
            id = self.draw.choice(sorted(self.appended)) if known else f"e{len(self.appended)}"
            subject = self.appended.setdefault(id, self.draw.choice(SUBJECTS))
            await self.at.log.append([Envelope(id=id, source="/test", type="said", subject=subject, data=b"1")])

    async def live(self, *, dies: bool) -> None:
        """Let processes work for a while, beside those that slept meanwhile; one may end at one of the next points."""
        self._alive = [*self._alive[-1:], self._consumer()]
        self._kill_in = self.draw.randint(1, 40) if dies else None
        for _ in range(self.draw.randint(1, 16)):
            if not self._alive:
                break
            if self.draw.random() < 0.3:
                self.at.clock.move(self.draw.choice((0.5, 2.0, 7.0)))
            await self._step(self.draw.choice(self._alive))
        self._kill_in = None
        self.at.clock.move(self.draw.choice((1.0, 9.0, 30.0)))

    async def _step(self, consumer: Consumer) -> None:
        try:
            if self.draw.random() < 0.5:
                await consumer._leases.renew()
            await consumer.step(asyncio.Event())
        except Killed:
            self._alive.remove(consumer)
            self._kill_in = None

    async def finish(self) -> None:
        """Have everything come right: nothing fails any more, and an operator redrives what was given up."""
        self._kill_in, self.ledger.fails = None, 0.0
        for _ in range(PATIENCE):
            self.at.clock.move(9)
            await until_idle(self._consumer())
            parked = await self.at.store.parked("ledger")
            if not parked and not await self._behind():
                return
            for each in parked:
                await self.at.store.schedule_redrive("ledger", each.subject, at=self.at.clock.now_us())
        raise AssertionError("it does not come to an end")

    async def _behind(self) -> bool:
        return await self.at.at("ledger") < (await self.at.log.head()).position

    def _consumer(self) -> Consumer:
        self._lives += 1
        return self.at.consumer(self.ledger, owner=f"life {self._lives}")


async def check(history: Histories) -> None:
    at = history.at
    async with at.store.unit() as unit:
        booked = await unit.sql.fetch("SELECT cause, pos, subject FROM booked ORDER BY n")
    assert sorted(cause for cause, _, _ in booked) == sorted(history.appended)
    for subject in SUBJECTS[:3]:
        positions = [position for _, position, of in booked if of == subject]
        assert positions == sorted(positions)
    page = await at.log.read(after=0, limit=1_000)
    emitted = [entry.envelope.id for entry in page.entries if entry.envelope.type == "booked"]
    assert sorted(emitted) == sorted(f"of {cause}" for cause in history.appended)
    assert sorted(each["key"] for each in await at.store.deliveries(limit=1_000)) == sorted(history.appended)


async def run(seed: int, *, rounds: int, partitions: int) -> None:
    draw = random.Random(seed)
    async with room(seed=seed) as at:
        at.partitions(partitions)
        async with at.store.unit() as unit:
            await unit.sql.execute(
                "CREATE TABLE booked (n INTEGER PRIMARY KEY, cause TEXT UNIQUE, pos INTEGER, subject TEXT)"
            )
        history = Histories(at, draw)
        for _ in range(rounds):
            await history.append(draw.randint(1, 12))
            await history.live(dies=draw.random() < 0.7)
        await history.finish()
        await check(history)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 32), rounds=st.integers(1, 8), partitions=st.sampled_from((1, 4)))
def test_effects_are_those_of_the_set_of_causes_each_once_and_in_order(seed: int, rounds: int, partitions: int) -> None:
    asyncio.run(run(seed, rounds=rounds, partitions=partitions))
