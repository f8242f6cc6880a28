"""A small application with a view of every kind, opened in memory, and its consumers played by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.unit.api.scopes import Reply, ask

from tidings import App, Context, Service, Settings, event
from tidings.api.application import Application, application
from tidings.app.opened import Opened
from tidings.log.driver import Position
from tidings.ports import Ports
from tidings.store.reason import Reason
from tidings.views.declaration import ViewSpec, consumer_name

JSON = {"content-type": "application/json"}
OWNER = "a test"
TTL = timedelta(minutes=5)


@event("order-placed", version=1, subject="order_id")
class OrderPlaced:
    order_id: str
    customer: str
    amount: int
    note: str | None = None


def shop() -> App:
    """A service `stock` with the views line (inline), order (live), total (async), seen (by a handler), noted (by
    commands); only `seen` is of the service `watch`."""
    stock, watch, desk = Service("stock"), Service("watch"), Service("desk")

    @stock.view(key=("customer", "order_id"), mode="inline")
    class Line:
        customer: str
        order_id: str
        amount: int
        paid: bool
        at: datetime | None
        note: str | None

    @stock.fold(Line, OrderPlaced)
    def lined(row: Line | None, event: OrderPlaced) -> Line:
        return Line(event.customer, event.order_id, event.amount, False, None, event.note)

    @stock.view(key=("order_id",), mode="live")
    class Order:
        order_id: str
        amount: int

    @stock.fold(Order, OrderPlaced)
    def ordered(row: Order | None, event: OrderPlaced) -> Order:
        if event.amount < 0:
            raise ValueError("owed to the customer")
        return Order(event.order_id, event.amount)

    @stock.view(key=("order_id",))
    class Total:
        order_id: str
        amount: int

    @stock.fold(Total, OrderPlaced)
    def totalled(row: Total | None, event: OrderPlaced) -> Total:
        return Total(event.order_id, event.amount)

    @watch.view(key=("order_id",))
    class Seen:
        order_id: str

    @watch.on(OrderPlaced)
    async def look(event: OrderPlaced, ctx: Context) -> None:
        await ctx.put(Seen(event.order_id))

    @desk.view(key=("name",))
    class Noted:
        name: str

    return App(stock, watch, desk)


@dataclass(frozen=True)
class Shop:
    """The opened application and its HTTP face."""

    opened: Opened
    http: Application

    def view(self, name: str) -> ViewSpec:
        return next(view for view in self.opened.views if view.name == name)

    async def place(self, order: str, *, customer: str = "ann", amount: int = 1) -> Reply:
        body = f'{{"order_id":"{order}","customer":"{customer}","amount":{amount}}}'
        headers = {"ce-type": "order-placed", **JSON}
        return await ask(self.http, "PUT", f"/events/web/{order}", headers, body.encode())

    async def consumer(self, view: str) -> str:
        record = await self.opened.tables.of(self.view(view))
        assert record is not None
        return consumer_name(record.table)

    async def come_to(self, consumer: str, *positions: Position) -> None:
        """Have the partitions of a consumer stand at these positions."""
        store = self.opened.store
        await store.register(consumer, partitions=len(positions), start=0)
        for claim in await store.claim(consumer, owner=OWNER, want=len(positions), ttl=TTL):
            async with store.unit(claim) as unit:
                unit.advance(to=positions[claim.part])
            await store.release([claim])

    async def park(self, consumer: str, subject: str) -> None:
        """Set every entry of a subject aside, as a failing fold does."""
        page = await self.opened.log.read(after=0, limit=100)
        entries = [entry for entry in page.entries if entry.envelope.subject == subject]
        async with self.opened.store.unit() as unit:
            await unit.park(consumer, subject, entries[:1], Reason(kind="fold-failed", error="x", next_at=None))
            await unit.park(consumer, subject, entries[1:], None)


@asynccontextmanager
async def open_shop(ports: Ports | None = None) -> AsyncIterator[Shop]:
    settings = Settings(database_url="sqlite:///:memory:")
    async with shop().open(settings, ports=ports, consume=False) as opened:
        yield Shop(opened, await application(opened))
