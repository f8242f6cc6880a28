"""A small application whose every effect can be counted: rows, its own table, events, calls to the outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.crash.telling import note, noted
from tidings import App, Context, Delivery, Service, Settings, event

ITEMS = 6
SALES = 10
FLAKY = 6
"""Events whose handler fails at its first call. So the first of a page fails with it, the others are parked."""

CALLS = "calls"
DATABASE = "database"
"""A note of the URL, where the database is not a file of SQLite in the same folder."""
TRIES = "tries"


@event("item-sold", subject="item")
class Sold:
    item: str
    shop: str
    cents: int


@event("stock-checked", subject="item")
class Checked:
    item: str


@event("sale-booked", subject="item")
class Booked:
    item: str
    sale: str


def make(folder: Path, *, version: int = 1, views: bool = True) -> App:
    """Return the application. What it does to the world outside is noted in files in `folder`."""
    service = Service("till", emits=[Booked])
    if views:
        add_views(service, version)
    add_handlers(service, folder)
    return App(service)


def add_views(service: Service, version: int) -> None:
    """Add a view of each kind: within one subject, inline, over several subjects, of what handlers emit."""

    @service.view(key=("item",), version=version)
    class Turnover:
        item: str
        cents: int
        sales: int

    @service.fold(Turnover, Sold)
    def turned_over(row: Turnover | None, event: Sold) -> Turnover:
        return Turnover(event.item, (row.cents if row else 0) + event.cents, (row.sales if row else 0) + 1)

    @service.view(key=("item",), mode="inline", version=version)
    class Latest:
        item: str
        cents: list[int]

    @service.fold(Latest, Sold)
    def latest(row: Latest | None, event: Sold) -> Latest:
        return Latest(event.item, [*(row.cents if row else []), event.cents])

    @service.view(key=("shop",), version=version)
    class Takings:
        shop: str
        cents: int

    @service.fold(Takings, Sold)
    def taken(row: Takings | None, event: Sold) -> Takings:
        return Takings(event.shop, (row.cents if row else 0) + event.cents)

    @service.view(key=("item",))
    class Bookings:
        item: str
        sales: list[str]

    @service.fold(Bookings, Booked)
    def booked(row: Bookings | None, event: Booked) -> Bookings:
        return Bookings(event.item, sorted([*(row.sales if row else []), event.sale]))


def add_handlers(service: Service, folder: Path) -> None:
    """Add a handler with effects of each kind, and one that fails at first."""

    @service.delivery
    async def call(payload: dict[str, str], delivery: Delivery) -> None:
        note(folder / CALLS, f"{delivery.idempotency_key} {payload['sale']}")

    mark = "?" if settings(folder).engine == "sqlite" else "$1"

    @service.on(Sold)
    async def book(event: Sold, ctx: Context) -> None:
        await ctx.sql.execute(f"INSERT INTO booked (sale) VALUES ({mark})", (ctx.envelope.id,))
        await ctx.emit(Booked(event.item, ctx.envelope.id))
        await ctx.deliver(call, {"sale": ctx.envelope.id}, order=event.item)

    @service.on(Checked)
    async def check(event: Checked, ctx: Context) -> None:
        note(folder / TRIES, event.item)
        if noted(folder / TRIES).count(event.item) == 1:
            raise ValueError("not yet")
        await ctx.sql.execute(f"INSERT INTO checked (item) VALUES ({mark})", (event.item,))


BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
TABLES = ("CREATE TABLE IF NOT EXISTS booked (sale TEXT)", "CREATE TABLE IF NOT EXISTS checked (item TEXT)")


def file(folder: Path) -> Path:
    return folder / "shop.db"


def settings(folder: Path) -> Settings:
    said = noted(folder / DATABASE)
    return Settings(database_url=said[0] if said else f"sqlite:///{file(folder)}")


def sale(item: int, n: int) -> str:
    return f"sale-{item}-{n}"


def sold(item: int, n: int) -> tuple[Sold, datetime]:
    """Return one sale of an item, and when it was: not in the order of their numbers."""
    return Sold(f"item-{item}", f"shop-{n % 2}", item * 100 + n), BEGAN + timedelta(hours=n * 7 % SALES)


def sales() -> dict[str, Sold]:
    """Return every sale that a child of this shop makes, by its id."""
    return {sale(item, n): sold(item, n)[0] for item in range(ITEMS) for n in range(SALES)}
