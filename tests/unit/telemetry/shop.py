"""A shop whose handlers do what an order says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from tidings import App, Context, NotRetryable, Service, Settings, event
from tidings.app.opened import Opened
from tidings.consumers.consumer import Consumer
from tidings.events.envelope import Envelope
from tidings.ports import Ports

TTL = timedelta(minutes=5)


@event("placed", subject="order_id")
class Placed:
    order_id: str
    does: str = "well"
    note: int = 0


@event("sent", subject="order_id")
class Sent:
    order_id: str


def shop() -> App:
    """A service `shop` with the handlers `check` and `send`, and the view `order`, whose note the last event says."""
    service = Service("shop", emits=[Sent])

    @service.on(Placed)
    async def check(event: Placed, ctx: Context) -> None:
        if event.does == "fail":
            raise ValueError(event.order_id)

    @service.on(Placed)
    def send(event: Placed, ctx: Context) -> None:
        if event.does == "refuse":
            raise NotRetryable(event.order_id)

    @service.on(Placed)
    async def tell(event: Placed, ctx: Context) -> None:
        if event.does == "emit":
            await ctx.emit(Sent(event.order_id))

    @service.view(key=("order_id",))
    class Order:
        order_id: str
        note: int

    @service.fold(Order, Placed)
    def placed(row: Order | None, event: Placed) -> Order:
        if event.does == "misfold":
            raise ValueError(event.order_id)
        return Order(event.order_id, event.note)

    return App(service)


@asynccontextmanager
async def opened_shop(ports: Ports | None = None) -> AsyncIterator[Opened]:
    settings = Settings(database_url="sqlite:///:memory:")
    async with shop().open(settings, ports=ports, consume=False) as opened:
        yield opened


async def carry(opened: Opened, *names: str) -> None:
    """Have the consumers of these names carry all there is."""

    consumers = await opened.carrying.consumers()
    for name in names or tuple(consumers):
        consumer: Consumer = consumers[name]
        while await consumer.step(asyncio.Event()) is None:
            continue


def placed(id: str, does: str = "well", *, time: str | None = None, note: int = 0, subject: str = "") -> Envelope:
    """An order that makes its handlers do this."""
    order = subject or id
    data = f'{{"order_id":"{order}","does":"{does}","note":{note}}}'.encode()
    return Envelope(id=id, source="web", type="placed", subject=order, time=time, data=data)
