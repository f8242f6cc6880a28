"""A shop in which something of everything has happened: chains of events, a dead subject, a dead delivery, views."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.acceptance.http_server import Caller, in_file, serving
from tidings import App, Context, NotRetryable, Service, event
from tidings.app import Opened
from tidings.console import Console
from tidings.operations.lag import lag
from tidings.services.delivery import Delivery
from tidings.serving import console
from tidings.settings import Settings


@event("order-placed", subject="order_id")
class OrderPlaced:
    order_id: str
    customer: str
    country: str
    total: int


@event("order-paid", subject="order_id")
class OrderPaid:
    order_id: str
    total: int


@event("parcel-booked", subject="order_id")
class ParcelBooked:
    order_id: str
    carrier: str


@event("stock-counted", version=2, subject="article")
class StockCounted:
    article: str
    count: int


def shop() -> App:
    """Services orders, payments, shipping, stock; parcels go to DE and AT only, and mail to FR fails."""
    orders, payments = Service("orders"), Service("payments", emits=[OrderPaid])
    shipping, stock = Service("shipping", emits=[ParcelBooked]), Service("stock")

    @orders.view(key=("order_id",))
    class Order:
        order_id: str
        customer: str
        country: str
        total: int
        paid: bool
        carrier: str | None

    @orders.fold(Order, OrderPlaced)
    def placed(row: Order | None, event: OrderPlaced) -> Order:
        return Order(event.order_id, event.customer, event.country, event.total, False, None)

    @orders.fold(Order, OrderPaid)
    def paid(row: Order | None, event: OrderPaid) -> Order | None:
        return row and Order(row.order_id, row.customer, row.country, row.total, True, row.carrier)

    @orders.fold(Order, ParcelBooked)
    def booked(row: Order | None, event: ParcelBooked) -> Order | None:
        return row and Order(row.order_id, row.customer, row.country, row.total, row.paid, event.carrier)

    @orders.view(key=("article",), mode="inline")
    class Stock:
        article: str
        count: int

    @orders.fold(Stock, StockCounted)
    def counted(row: Stock | None, event: StockCounted) -> Stock:
        return Stock(event.article, event.count)

    @orders.view(key=("order_id",), mode="live")
    class Placed:
        order_id: str
        customer: str

    @orders.fold(Placed, OrderPlaced)
    def noted(row: Placed | None, event: OrderPlaced) -> Placed:
        return Placed(event.order_id, event.customer)

    @payments.on(OrderPlaced)
    async def charge(event: OrderPlaced, ctx: Context) -> None:
        await ctx.emit(OrderPaid(event.order_id, event.total))

    @shipping.delivery
    async def tell_customer(payload: dict[str, str], delivery: Delivery) -> None:
        if payload["country"] == "FR":
            raise NotRetryable("550 5.1.1 mailbox unavailable")

    @shipping.on(OrderPlaced)
    async def welcome(event: OrderPlaced, ctx: Context) -> None:
        await ctx.deliver(tell_customer, {"country": event.country})

    @shipping.on(OrderPaid)
    async def book(event: OrderPaid, ctx: Context) -> None:
        if event.total > 10_000:
            raise NotRetryable(f"no carrier insures a parcel of {event.total}")
        await ctx.emit(ParcelBooked(event.order_id, "DHL" if event.total < 500 else "UPS"))

    @stock.on(StockCounted, replayable=True)
    async def note(event: StockCounted, ctx: Context) -> None:
        """Nothing is kept."""

    return App(orders, payments, shipping, stock)


ORDERS = (
    ("o-1001", "Ada", "DE", 120),
    ("o-1002", "Grace", "AT", 860),
    ("o-1003", "Édith", "FR", 75),
    ("o-1004", "Katherine", "DE", 12_400),
    ("o-1005", "مريم", "AT", 40),
)


class Shop:
    """The shop behind its server. `url`: of the console."""

    def __init__(self, caller: Caller, opened: Opened) -> None:
        self.caller = caller
        self.opened = opened
        self.url = f"{caller.url}/console"

    async def order(self, *order: object) -> None:
        id, customer, country, total = order
        event = OrderPlaced(str(id), str(customer), str(country), int(str(total)))
        await self.opened.publish(event, source="/web", id=f"placed-{id}", time=None)

    async def count(self, article: str, count: int) -> None:
        await self.opened.publish(StockCounted(article, count), source="/scanner/7", id=f"{article}-{count}", time=None)

    async def settled(self) -> None:
        """Come back when every consumer has read the log, and every delivery was made or given up."""
        while await self._is_busy():
            await self.opened.ports.clock.sleep(0.02)

    async def _is_busy(self) -> bool:
        opened = self.opened
        consumers = await lag(opened.log, opened.store, opened.ports.clock, opened.services)
        is_behind = any(each.state == "new" or (each.entries and each.state != "paused") for each in consumers)
        return is_behind or bool(await opened.store.deliveries("due") or await opened.store.deliveries("leased"))


@asynccontextmanager
async def open_shop(folder: Path, app: App | None = None, settings: Settings | None = None) -> AsyncIterator[Shop]:
    """Serve the shop, or another application, with its console until the block is left."""
    served: list[Opened] = []

    def pages(opened: Opened) -> Console | None:
        served.append(opened)
        return console(opened)

    async with serving(app or shop(), settings or in_file(folder), pages=pages) as caller:
        yield Shop(caller, served[0])


@asynccontextmanager
async def busy_shop(folder: Path) -> AsyncIterator[Shop]:
    """Serve the shop after some orders: o-1004 is dead in shipping, and the mail about o-1003 was given up."""
    async with open_shop(folder) as shop:
        for order in ORDERS:
            await shop.order(*order)
        await shop.count("mug", 40)
        await shop.settled()
        yield shop
