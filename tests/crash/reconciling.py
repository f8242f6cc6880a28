"""What a child that reconciles does: a copy is made of what a provider has, which then changes, and is made again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.crash import shop
from tests.crash.telling import tell
from tests.unit.reconciliation.shop import SECOND, Item, Order, OrderGone, Orders, OrderSeen, Provider, orders_service
from tidings import App
from tidings.app.opened import Opened
from tidings.consumers.consumer import Consumer
from tidings.ports import Ports
from tidings.reconciliation.records import Run

FIRST = {f"o{n:02}": n for n in range(10)}
THEN = {**{key: amount + 100 * (key < "o03") for key, amount in FIRST.items() if key not in ("o04", "o08")}, "o10": 10}
UPDATED = {**{key: amount + 100 * (key < "o06") for key, amount in FIRST.items()}, "o10": 10}
"""Seven items: two pages of what has changed."""
SCOPE = "till-orders"


def made(folder: Path, ports: Ports) -> tuple[App, Provider]:
    """Return the application, and the provider as it is by now: what it has is told by a file beside the database."""
    provider: Any = Provider(ports.clock)
    stage = folder / "updated" if (folder / "updated").exists() else folder / "changed"
    midnight = ports.clock.now_us() // (86_400 * SECOND) * 86_400 * SECOND
    has = UPDATED if stage.name == "updated" else THEN if stage.exists() else FIRST
    for key, amount in has.items():
        is_new = FIRST.get(key) != amount
        provider.items[key] = Item(amount, int(stage.read_text()) if is_new else midnight)
    app = App(orders_service())
    app.reconcile(SCOPE, Order, Orders(provider, filters_by_change=True), events=[OrderSeen, OrderGone])
    return app, provider


async def reconcile(folder: Path, ports: Ports, options: str) -> None:
    """Run to the end of what is begun; change what the provider has once that is copied, and run again."""
    while True:
        app, _ = made(folder, ports)
        async with app.open(shop.settings(folder), ports=ports, consume=False) as opened:
            run = await opened.scopes[SCOPE].run("run", applies=True)
            await carry(opened)
            tell(f"{run.id} {run.state}")
        if (folder / "changed").exists():
            return
        (folder / "changed").write_text(str(ports.clock.now_us()))


async def copy_whole(folder: Path, ports: Ports, options: str) -> None:
    """Make the copy, and then change what the provider has."""
    app, _ = made(folder, ports)
    async with app.open(shop.settings(folder), ports=ports, consume=False) as opened:
        await opened.scopes[SCOPE].run("run", applies=True)
        await carry(opened)
    (folder / "updated").write_text(str(ports.clock.now_us()))


async def read_changes(folder: Path, ports: Ports, options: str) -> None:
    """Read what has changed since."""
    app, _ = made(folder, ports)
    async with app.open(shop.settings(folder), ports=ports, consume=False) as opened:
        run = await opened.scopes[SCOPE].run_changed()
        await carry(opened)
        tell(f"{run.id} {run.state}")


async def carry(opened: Opened) -> None:
    """Let the copy take in all that is in the log."""
    consumer: Consumer = (await opened.carrying.consumers())[f"orders.{SCOPE}"]
    while await consumer.step(asyncio.Event()) is None:
        pass
    await consumer.release()


async def copied(opened: Opened) -> dict[str, int]:
    """Return what the copy shows."""
    async with opened.store.unit() as unit:
        return dict(await unit.sql.fetch("SELECT order_id, amount FROM orders_order ORDER BY order_id"))


async def runs(opened: Opened) -> list[Run]:
    return list(await opened.scopes[SCOPE].runs(limit=100))
