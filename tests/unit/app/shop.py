"""A small application, and ways to wait for what runs beside its requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from tidings import App, Context, Service, Settings, event


@event("order-placed", subject="order_id")
class OrderPlaced:
    order_id: str
    cents: int


@event("order-confirmed", subject="order_id")
class OrderConfirmed:
    order_id: str


def orders(*, version: int = 1, factor: int = 1) -> Service:
    """A service with a view of each mode that its folds fill, and a handler that emits."""
    service = Service("orders", emits=[OrderConfirmed])

    @service.view(key=("order_id",), version=version)
    class Order:
        order_id: str
        cents: int
        confirmed: bool = False

    @service.fold(Order, OrderPlaced)
    def placed(row: Order | None, event: OrderPlaced) -> Order:
        return Order(event.order_id, event.cents * factor, row is not None and row.confirmed)

    @service.fold(Order, OrderConfirmed)
    def confirmed(row: Order | None, event: OrderConfirmed) -> Order | None:
        return row and Order(row.order_id, row.cents, True)

    @service.view(key=("order_id",), mode="inline", version=version)
    class Receipt:
        order_id: str
        cents: int

    @service.fold(Receipt, OrderPlaced)
    def receipted(row: Receipt | None, event: OrderPlaced) -> Receipt:
        return Receipt(event.order_id, event.cents * factor)

    @service.on(OrderPlaced)
    async def confirm(event: OrderPlaced, ctx: Context) -> None:
        await ctx.emit(OrderConfirmed(event.order_id))

    return service


def shop(*, version: int = 1, factor: int = 1) -> App:
    return App(orders(version=version, factor=factor))


def in_file(folder: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{folder / 'shop.db'}")


IN_MEMORY = Settings(database_url="sqlite:///:memory:")


async def eventually(holds: Callable[[], Awaitable[bool]], *, within: float = 20.0) -> None:
    """Come back when it holds; the time is a bound for a test that fails, not a measure."""
    async with asyncio.timeout(within):
        while not await holds():
            await asyncio.sleep(0.01)
