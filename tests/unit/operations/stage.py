"""A small shop on a database in memory, where a test itself carries entries, parks subjects and moves checkpoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from tidings import App, Context, Service, Settings, event
from tidings.app import Opened
from tidings.events.envelope import Entry
from tidings.ports import Ports, this_process
from tidings.store.claims import Claim
from tidings.store.reason import Reason
from tidings.views.declaration import ViewSpec, consumer_name
from tidings.views.folder import Folder

TTL = timedelta(seconds=8)
FAILED = Reason(kind="handler-failed", error="ValueError: no", next_at=None)


@event("order-placed", subject="order_id")
class OrderPlaced:
    order_id: str
    total: int


@event("order-paid", subject="order_id")
class OrderPaid:
    order_id: str


@event("order-withdrawn", subject="order_id")
class OrderWithdrawn:
    order_id: str


@event("rate-set")
class RateSet:
    rate: int


orders = Service("orders")


@orders.view(key=("order_id",))
class Order:
    order_id: str
    total: int
    paid: bool


@orders.fold(Order, OrderPlaced)
def placed(row: Order | None, event: OrderPlaced) -> Order:
    return Order(event.order_id, event.total, row.paid if row else False)


@orders.fold(Order, OrderPaid)
def paid(row: Order | None, event: OrderPaid) -> Order:
    return Order(event.order_id, row.total if row else 0, True)


@orders.fold(Order, OrderWithdrawn)
def withdrawn(row: Order | None, event: OrderWithdrawn) -> None:
    return None


@orders.view(key=("order_id",), mode="inline")
class Placed:
    order_id: str
    total: int


@orders.fold(Placed, OrderPlaced)
def noted(row: Placed | None, event: OrderPlaced) -> Placed:
    return Placed(event.order_id, event.total)


@orders.view(key=("order_id",), mode="live")
class Last:
    order_id: str
    total: int


@orders.fold(Last, OrderPlaced)
def lasted(row: Last | None, event: OrderPlaced) -> Last:
    return Last(event.order_id, event.total)


billing = Service("billing")


@billing.on(OrderPlaced)
async def bill(event: OrderPlaced, ctx: Context) -> None:
    """Not declared replayable."""


rates = Service("rates")


@rates.on(RateSet, replayable=True)
async def note(event: RateSet, ctx: Context) -> None:
    """Declared replayable."""


SERVICES = (orders, billing, rates)


class StillClock:
    """A clock that only `pass_by` moves on, whatever the back end does in the background."""

    def __init__(self) -> None:
        self._now_us = 1_790_000_000_000_000

    def now_us(self) -> int:
        return self._now_us

    def monotonic(self) -> float:
        return self._now_us / 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def pass_by(self, *, seconds: float) -> None:
        self._now_us += int(seconds * 1_000_000)


class Stage:
    """The shop, opened; nothing happens in it by itself."""

    def __init__(self, opened: Opened, clock: StillClock) -> None:
        self.opened = opened
        self.log = opened.log
        self.store = opened.store
        self.clock = clock

    def view(self, name: str) -> ViewSpec:
        return next(view for view in self.opened.views if view.name == name)

    async def say(self, *events: object) -> list[int]:
        """Publish the events in order, each under an id that is its number; return where they stand."""
        found = []
        for said in events:
            head = (await self.log.head()).position
            found.append(await self.opened.publish(said, source="/shop", id=f"id-{head + 1}", time=None))
        return found

    async def entries(self) -> Sequence[Entry]:
        return (await self.log.read(after=0, limit=10_000)).entries

    async def claim(self, consumer: str, *, partitions: int = 1) -> Sequence[Claim]:
        await self.store.register(consumer, partitions=partitions, start=0)
        return await self.store.claim(consumer, owner=this_process(), want=partitions, ttl=TTL)

    async def settle(self, consumer: str, *, to: int) -> None:
        """Move the consumer's checkpoint, and let go of its lease."""
        claims = await self.claim(consumer)
        async with self.store.unit(*claims) as unit:
            unit.advance(to=to)
        await self.store.release(claims)

    async def fold(self, name: str) -> None:
        """Carry the whole log into the view's current table."""
        view = self.view(name)
        record = next(record for record in await self.store.views() if record.table.view == name)
        folder = Folder(view, record.table, self.log)
        claims = await self.claim(consumer_name(record.table))
        async with self.store.unit(*claims) as unit:
            await folder.apply(unit, [e for e in await self.entries() if e.envelope.type in view.types])
            unit.advance(to=(await self.log.head()).position)
        await self.store.release(claims)

    async def park(self, consumer: str, subject: str, positions: Sequence[int], reason: Reason = FAILED) -> None:
        entries = [entry for entry in await self.entries() if entry.position in positions]
        async with self.store.unit() as unit:
            await unit.park(consumer, subject, entries, reason)


@asynccontextmanager
async def staged(app: App | None = None) -> AsyncIterator[Stage]:
    clock = StillClock()
    settings = Settings(database_url="sqlite:///:memory:")
    async with (app or App(*SERVICES)).open(settings, ports=Ports(clock=clock), consume=False) as opened:
        yield Stage(opened, clock)
