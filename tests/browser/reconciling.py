"""An application whose copy was planned, repaired, and of which deletes are held, behind its server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.browser.shop import Shop, open_shop
from tests.unit.reconciliation.shop import Order, OrderGone, Orders, OrderSeen, Provider, orders_service
from tidings import App
from tidings.ports import SystemClock, utc
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.scope import Reconciliation
from tidings.testing.clock import StandingClock

NASTY = "<img src=x onerror=alert(1)>"


class TenSecondsAgo(StandingClock):
    def now_us(self) -> int:
        return SystemClock().now_us() - 10_000_000


@dataclass
class Reconciled:
    """`held`: the run that holds deletes."""

    shop: Shop
    provider: Provider
    scope: Reconciliation
    plan: Run
    held: Run

    @property
    def page(self) -> str:
        return f"/reconciliation/till-orders/{self.held.id}"


def provider_of(count: int) -> Provider:
    """Return a provider with so many orders, all ten seconds old."""
    found = Provider(TenSecondsAgo())
    found.date = lambda: utc(SystemClock().now_us())  # type: ignore[method-assign]
    for n in range(count):
        found.put(f"o{n:02}", n)
    found.put(NASTY, 1)
    return found


@asynccontextmanager
async def reconciled(folder: Path) -> AsyncIterator[Reconciled]:
    """Serve the scope till-orders, of whose 31 orders 12 are gone, one is changed, and one cannot be read."""
    provider = provider_of(30)
    app = App(orders_service())
    app.reconcile("till-orders", Order, Orders(provider), events=[OrderSeen, OrderGone], every=timedelta(days=1))
    async with open_shop(folder, app) as shop:
        scope = shop.opened.scopes["till-orders"]
        await _idle(scope)
        plan = await scope.run("plan")
        await scope.run("run", applies=True)
        async with asyncio.timeout(60):
            while (await scope.asof()).deletes is None:
                await asyncio.sleep(0.05)
        for n in range(12):
            del provider.items[f"o{n:02}"]
        provider.items["o20"].changed += 1_000_000
        provider.items["o20"].amount = 99
        held = await scope.run("run")
        assert held.state == "held", held
        yield Reconciled(shop, provider, scope, plan, held)


async def _idle(scope: Reconciliation) -> None:
    """Wait until the first run, which is due at once, has ended."""
    async with asyncio.timeout(60):
        while not (await scope.record()).last:
            await asyncio.sleep(0.05)
