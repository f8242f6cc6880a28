"""A folder in which a stranger has written an application, and runs the command line as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.warm.begun import Begun
from tests.warm.processes import Ended, begin, run

PATIENCE = 120.0
BETWEEN_LOOKS = 0.1

SHOP = """
from tidings import App, Context, NotRetryable, Service, event


@event("order-placed", subject="order_id")
class OrderPlaced:
    order_id: str
    total: int


@event("order-noted", subject="order_id")
class OrderNoted:
    order_id: str


orders = Service("orders", emits=[OrderNoted])


@orders.view(key=("order_id",))
class Order:
    order_id: str
    total: int


@orders.fold(Order, OrderPlaced)
def placed(row: Order | None, event: OrderPlaced) -> Order:
    return Order(event.order_id, event.total)


@orders.view(key=("order_id",), mode="live")
class Last:
    order_id: str
    total: int


@orders.fold(Last, OrderPlaced)
def last(row: Last | None, event: OrderPlaced) -> Last:
    return Last(event.order_id, event.total)


@orders.on(OrderPlaced)
async def note(event: OrderPlaced, ctx: Context) -> None:
    if event.total < 0:
        raise NotRetryable("no order has a total below 0")
    await ctx.emit(OrderNoted(event.order_id))


stock = Service("stock")


@stock.on(OrderPlaced, replayable=True)
async def take(event: OrderPlaced, ctx: Context) -> None:
    pass


app = App(orders, stock)
"""


class Place:
    """The folder, its environment, and the commands run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "shop.py").write_text(SHOP, "utf-8")

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        return kept | {"COLUMNS": "200", "TERM": "dumb"} | more

    def tidings(self, *arguments: str, given: str | None = None, **environment: str) -> Ended:
        return run("tidings", *arguments, folder=self.folder, environment=self.environment(**environment), given=given)

    def emit(self, order: str, total: int, *, id: str | None = None) -> Ended:
        said = json.dumps({"order_id": order, "total": total})
        named = () if id is None else ("--id", id)
        return self.tidings("emit", "order-placed", said, *named, "--source", "/shop", "--app", "shop:app", "--json")

    def begin(self, *arguments: str, **environment: str) -> Begun:
        return begin("tidings", *arguments, folder=self.folder, environment=self.environment(**environment))

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Run the server until the block is left, and yield its address."""
        process = self.begin("run", "shop:app", "--port", "0", "--json")
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            yield json.loads(line)["url"]
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=30)
            finally:
                process.kill()
                process.wait()

    def eventually(self, *arguments: str, until: Any) -> Any:
        """Ask the same again until its answer satisfies `until`; return the answer."""
        end = time.monotonic() + PATIENCE
        while not until(answer := self.tidings(*arguments, "--json").json):
            assert time.monotonic() < end, f"tidings {' '.join(arguments)} still says {answer}"
            time.sleep(BETWEEN_LOOKS)
        return answer
