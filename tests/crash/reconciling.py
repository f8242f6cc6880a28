"""What a child that reconciles does: a copy is made of what a provider has, which then changes, and then loses nearly
all, so that somebody has to approve what follows from that."""

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
from tidings.ports import Ports, utc
from tidings.reconciliation.kept.records import Run

FIRST = {f"o{n:02}": n for n in range(15)}
THEN = {**{key: amount + 100 * (key < "o03") for key, amount in FIRST.items() if key not in ("o04", "o08")}, "o99": 99}
LEFT = {key: amount for key, amount in THEN.items() if FIRST.get(key) != amount}
"""Ten items less, and two were gone already: more than may be deleted without approval."""
UPDATED = {**{key: amount + 100 * (key < "o06") for key, amount in FIRST.items()}, "o99": 99}
"""Seven items: two pages of what has changed."""
STAGES = {"changed": THEN, "wiped": LEFT, "updated": UPDATED}
"""What the provider has once there is a file of this name, which says since when."""
SCOPE = "till-orders"


def made(folder: Path, ports: Ports) -> tuple[App, Provider]:
    """Return the application, and the provider as it is by now: what it has is told by a file beside the database."""
    provider: Any = Provider(ports.clock)
    provider.items = {key: Item(amount, midnight_of(ports)) for key, amount in FIRST.items()}
    for stage, has in STAGES.items():
        if (folder / stage).exists():
            since, had = int((folder / stage).read_text()), provider.items
            provider.items = {
                key: had[key] if key in had and had[key].amount == amount else Item(amount, since)
                for key, amount in has.items()
            }
    app = App(orders_service())
    app.reconcile(SCOPE, Order, Orders(provider, filters_by_change=True), events=[OrderSeen, OrderGone])
    return app, provider


def midnight_of(ports: Ports) -> int:
    return ports.clock.now_us() // (86_400 * SECOND) * 86_400 * SECOND


async def reconcile(folder: Path, ports: Ports, options: str) -> None:
    """Run to the end of what is begun, or what was; change what the provider has once that is copied, and run again."""
    for then in ("changed", "wiped", "over"):
        if not (folder / then).exists():
            app, _ = made(folder, ports)
            async with app.open(shop.settings(folder), ports=ports, consume=False) as opened:
                await repair(opened)
                await hear_late(opened, midnight_of(ports))
            (folder / then).write_text(str(ports.clock.now_us()))


async def repair(opened: Opened) -> None:
    """Make the copy right, and approve what is held. Whoever finds an approval that was begun goes on with it."""
    scope = opened.scopes[SCOPE]
    waits = await scope.waiting()
    run = await (scope.run(waits) if waits == "approve" else scope.run("run", applies=True))
    if run.state == "held":
        run = await scope.approve(run.id, at_most=len(run.held))
    await carry(opened)
    tell(f"{run.id} {run.state}")


async def hear_late(opened: Opened, at: int) -> None:
    """Have a webhook come of which all is known, and which says something else; the copy takes it in."""
    await opened.publish(OrderSeen("o00", 55, utc(at)), source="/till", id="late", time=utc(at))
    await carry(opened)


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
