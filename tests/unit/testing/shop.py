"""A small shop with what a test kit must show: a view, a handler that emits and calls, one that fails when told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tidings import App, Context, Delivery, Service, event


@event("order-placed", subject="order_id")
class OrderPlaced:
    order_id: str
    cents: int


@event("order-cancelled", subject="order_id")
class OrderCancelled:
    order_id: str


@event("order-confirmed", subject="order_id")
class OrderConfirmed:
    order_id: str
    by: str = "shop"


@dataclass
class Shop:
    """`failures`: what the handler raises next. `mails`: (payload, key, attempt) of each call that was made."""

    failures: list[Exception] = field(default_factory=list)
    mail_failures: list[Exception] = field(default_factory=list)
    mails: list[tuple[dict[str, str], str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service = Service("shop", emits=[OrderConfirmed])
        self._view()
        self._reactions()
        self.app = App(self.service)

    def _view(self) -> None:
        @self.service.view(key=("order_id",))
        class Order:
            order_id: str
            cents: int

        @self.service.fold(Order, OrderPlaced)
        def placed(row: Order | None, event: OrderPlaced) -> Order:
            return Order(event.order_id, event.cents)

        @self.service.fold(Order, OrderCancelled)
        def cancelled(row: Order | None, event: OrderCancelled) -> None:
            return None

        self.order: Callable[..., Any] = Order

    def _reactions(self) -> None:
        @self.service.delivery
        async def mail(payload: dict[str, str], delivery: Delivery) -> None:
            self.mails.append((payload, delivery.idempotency_key, delivery.attempt))
            if self.mail_failures:
                raise self.mail_failures.pop(0)

        @self.service.on(OrderPlaced)
        async def confirm(event: OrderPlaced, ctx: Context) -> None:
            if self.failures:
                raise self.failures.pop(0)
            await ctx.emit(OrderConfirmed(event.order_id))
            await ctx.deliver(mail, {"about": event.order_id})


TABLE = "CREATE TABLE IF NOT EXISTS ledger_total (account TEXT PRIMARY KEY, cents INTEGER)"


def counting() -> App:
    """An app whose handler adds up, so that it must not run twice for an event, though order does not matter to it."""
    service = Service("ledger")

    @service.on(OrderPlaced)
    async def add(event: OrderPlaced, ctx: Context) -> None:
        await ctx.sql.execute(TABLE)
        add = "INSERT INTO ledger_total VALUES (?, ?) ON CONFLICT DO UPDATE SET cents = cents + excluded.cents"
        await ctx.sql.execute(add, (event.order_id, event.cents))

    return App(service)


def overwriting() -> App:
    """An app whose handlers let what arrives last win, so that order matters, though they may run twice."""
    service = Service("ledger")
    put = "INSERT INTO ledger_total VALUES (?, ?) ON CONFLICT DO UPDATE SET cents = excluded.cents"

    @service.on(OrderPlaced)
    async def placed(event: OrderPlaced, ctx: Context) -> None:
        await ctx.sql.execute(TABLE)
        await ctx.sql.execute(put, (event.order_id, event.cents))

    @service.on(OrderCancelled)
    async def cancelled(event: OrderCancelled, ctx: Context) -> None:
        await ctx.sql.execute(TABLE)
        await ctx.sql.execute(put, (event.order_id, 0))

    return App(service)


def waiting() -> App:
    """An app whose cancellation waits for order 1 by failing, so that retries decide."""
    service = Service("desk")

    @service.view(key=("order_id",))
    class Desk:
        order_id: str

    @service.on(OrderPlaced)
    async def placed(event: OrderPlaced, ctx: Context) -> None:
        await ctx.put(Desk(event.order_id))

    @service.on(OrderCancelled)
    async def cancelled(event: OrderCancelled, ctx: Context) -> None:
        if await ctx.get(Desk, order_id="1") is None:
            raise ValueError("there is no order 1 yet")

    return App(service)
