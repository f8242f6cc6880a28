"""A service with handlers, opened in memory and carried by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.unit.consumers.room import until_idle
from tidings import App, Context, Delivery, Service, Settings, event
from tidings.app.opened import Opened
from tidings.ports import Ports

IN_MEMORY = Settings(database_url="sqlite:///:memory:")
Act = Callable[[Any, Context], Awaitable[None]]


@event("placed", subject="order_id")
class Placed:
    order_id: str
    cents: int = 0


@event("confirmed", subject="order_id")
class Confirmed:
    order_id: str
    cents: int = 0


class Shop:
    """`act` is what the handler of `placed` does; it may be replaced at any time."""

    def __init__(self) -> None:
        self.act: Act = _nothing
        self.told: list[tuple[Any, Delivery]] = []
        self.service = Service("shop", emits=[Confirmed])

        @self.service.view(key=("order_id",))
        class Order:
            order_id: str
            cents: int

        @self.service.on(Placed)
        async def handle(event: Placed, ctx: Context) -> None:
            await self.act(event, ctx)

        @self.service.delivery
        async def tell(payload: dict[str, str], delivery: Delivery) -> None:
            self.told.append((payload, delivery))

        self.Order, self.tell = Order, tell
        self.app = App(self.service)
        self.opened: Opened

    @asynccontextmanager
    async def open(self, ports: Ports | None = None) -> AsyncIterator[Shop]:
        async with self.app.open(IN_MEMORY, ports=ports, consume=False) as self.opened:
            yield self

    async def place(self, order_id: str = "1", *, id: str = "e1", cents: int = 0) -> int:
        return await self.app.publish(Placed(order_id, cents), source="/web", id=id)

    async def carry(self) -> None:
        """Have the handlers react to all there is."""
        consumers = await self.opened.carrying.consumers()
        consumer = consumers["shop"]
        await until_idle(consumer)
        await consumer.release()

    async def order(self, order_id: str = "1") -> Any:
        async with self.app.unit("shop") as ctx:
            return await ctx.get(self.Order, order_id=order_id)

    async def log(self) -> list[tuple[str, str]]:
        page = await self.opened.log.read(after=0, limit=100)
        return [(entry.envelope.type, entry.envelope.id) for entry in page.entries]

    async def parked(self) -> list[str]:
        return [each.error for each in await self.opened.store.parked("shop")]


async def _nothing(event: Any, ctx: Context) -> None:
    return None
