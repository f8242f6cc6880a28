"""An application that keeps a copy of a provider's orders, a provider that can be made to fail, and a clock by hand."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.unit.reconciliation.declared import facts
from tidings import App, Service, event
from tidings.app.opened import Opened
from tidings.consumers.consumer import Consumer
from tidings.events.envelope import Envelope
from tidings.ports import Ports, utc
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.listing import Answer, Hint, Page, Row, Snapshot
from tidings.reconciliation.rules.facts import Capability, ProviderFacts
from tidings.reconciliation.runs.holding import Holding
from tidings.reconciliation.scope import Reconciliation
from tidings.settings import Settings
from tidings.testing.clock import StandingClock

SECOND = 1_000_000


@event("order-seen", version=1, subject="order_id")
class OrderSeen:
    order_id: str
    amount: int
    updated_at: datetime


@event("order-gone", version=1, subject="order_id")
class OrderGone:
    order_id: str
    at: datetime | None = None


@dataclass
class Item:
    amount: int
    changed: int


@dataclass
class Provider:
    """What it has, and what goes wrong. `trouble`: is asked before each answer and may raise, or change the page."""

    clock: StandingClock
    items: dict[str, Item] = field(default_factory=dict)
    skew: int = 0
    trouble: Callable[[str], None] = lambda what: None
    bend: Callable[[Page], Page] = lambda page: page
    answer: Callable[[str, Answer], Answer] = lambda key, answer: answer
    listed: int = 0
    asked: list[str] = field(default_factory=list)
    since: list[datetime] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] | None = None

    def put(self, key: str, amount: int) -> None:
        self.items[key] = Item(amount, self.clock.now_us())

    def date(self) -> datetime:
        return utc((self.clock.now_us() + self.skew) // SECOND * SECOND)

    def row(self, key: str, *, capability: Capability = Capability.VERSIONED) -> Row:
        item = self.items[key]
        changed = utc(item.changed)
        state = {"order_id": key, "amount": item.amount}
        return Row(key=key, state=state, version=changed if capability is Capability.VERSIONED else None)


class Orders:
    """The adapter."""

    def __init__(self, provider: Provider, **changed: Any) -> None:
        self.provider = provider
        self.refuses: set[str] = set()
        self.ignores: set[str] = set()
        self.untold: set[str] = set()
        self._facts = facts(page_limit=4, **changed)

    @property
    def facts(self) -> ProviderFacts:
        return self._facts

    async def list_page(self, *, cursor: str | None, limit: int) -> Page:
        self.provider.listed += 1
        before, self.provider.before = self.provider.before, None
        if before is not None:
            await before()
        self.provider.trouble("list")
        keys = sorted(self.provider.items)
        start = 0 if cursor is None else bisect_right(keys, cursor.removeprefix("after:"))
        chosen = keys[start : start + limit]
        next_cursor = f"after:{chosen[-1]}" if start + limit < len(keys) else None
        rows = [self.provider.row(key, capability=self._facts.capability) for key in chosen]
        return self.provider.bend(Page(rows=rows, next_cursor=next_cursor, server_date=self.provider.date()))

    async def list_changed(self, *, since: datetime, cursor: str | None, limit: int) -> Page:
        self.provider.since.append(since)
        self.provider.trouble("changed")
        items = self.provider.items
        found = sorted((utc(item.changed).replace(microsecond=0), key) for key, item in items.items())
        found = [each for each in found if each[0] >= since]
        start = 0 if cursor is None else bisect_right([f"{at.isoformat()} {key}" for at, key in found], cursor)
        rows = [self.provider.row(key, capability=self._facts.capability) for _, key in found[start : start + limit]]
        more = found[start + limit - 1] if start + limit < len(found) else None
        next_cursor = None if more is None else f"{more[0].isoformat()} {more[1]}"
        return self.provider.bend(Page(rows=rows, next_cursor=next_cursor, server_date=self.provider.date()))

    def cursor_after(self, order_key: object) -> str:
        return f"after:{order_key}"

    async def get_one(self, key: str) -> Answer:
        self.provider.asked.append(key)
        self.provider.trouble("get")
        has = key in self.provider.items
        row = self.provider.row(key, capability=self._facts.capability) if has else None
        return self.provider.answer(key, Answer(row=row, server_date=self.provider.date()))

    def observed(self, row: Row) -> OrderSeen:
        if row.key in self.untold:
            raise KeyError(row.key)
        at = row.version if isinstance(row.version, datetime) else self.provider.date()
        return OrderSeen(row.key, row.state["amount"], at)

    def deleted(self, key: str) -> OrderGone:
        if key in self.untold:
            raise KeyError(key)
        return OrderGone(key)

    def read(self, event: Any, envelope: Envelope) -> Snapshot | Hint | None:
        if event.order_id in self.ignores:
            return None
        if event.order_id in self.refuses:
            raise ValueError(f"nobody can read {event.order_id}")
        if isinstance(event, OrderSeen):
            state = {"order_id": event.order_id, "amount": event.amount}
            return Snapshot(key=event.order_id, state=state, at=event.updated_at)
        return Snapshot(key=event.order_id, state=None, at=event.at)


@dataclass
class Shop:
    """The application, open."""

    opened: Opened
    provider: Provider
    clock: StandingClock
    scope: Reconciliation
    mirror: Consumer

    @property
    def ignores(self) -> set[str]:
        """The keys whose events the adapter takes as none of its own."""
        listing: Any = self.scope.scope.listing
        found: set[str] = listing.ignores
        return found

    @property
    def untold(self) -> set[str]:
        """The keys of which the adapter makes no event."""
        listing: Any = self.scope.scope.listing
        found: set[str] = listing.untold
        return found

    @property
    def refuses(self) -> set[str]:
        """The keys whose events the adapter cannot read."""
        listing: Any = self.scope.scope.listing
        found: set[str] = listing.refuses
        return found

    async def run(self, **more: Any) -> Any:
        """Run the scope, and carry what it appended to the copy."""
        run = await self.scope.run("run", applies=True, **more)
        await self.carry()
        return run

    async def run_changed(self) -> Run:
        """Read what has changed, and carry what follows to the copy."""
        run = await self.scope.run_changed()
        await self.carry()
        return run

    async def carry(self) -> None:
        """Let the copy take in all that is in the log."""
        while await self.mirror.step(asyncio.Event()) is None:
            pass

    def other_process(self) -> Reconciliation:
        """Return the scope as another process has it."""
        found = copy(self.scope)
        holding = Holding(self.scope.scope.name, self.opened.store, self.opened.ports, "another-process")
        running = copy(found._running)
        running._holding = holding
        found._running = running
        return found

    async def webhook(self, key: str, *, id: str) -> None:
        """Have the present state of an item arrive, or that it is gone."""
        item = self.provider.items.get(key)
        now = utc(self.clock.now_us())
        told: Any = OrderGone(key, now) if item is None else OrderSeen(key, item.amount, utc(item.changed))
        await self.opened.publish(told, source="/till", id=id, time=now)

    def pass_time(self, seconds: float) -> None:
        self.clock.move(self.clock.now_us() + int(seconds * SECOND))

    async def shown(self) -> dict[str, int]:
        """Return what the copy shows."""
        async with self.opened.store.unit() as unit:
            rows = await unit.sql.fetch("SELECT order_id, amount FROM orders_order ORDER BY order_id")
        return dict(rows)

    @property
    def true(self) -> dict[str, int]:
        return {key: item.amount for key, item in sorted(self.provider.items.items())}


class Order:
    """A row of the copy."""

    order_id: str
    amount: int


Order = Service("orders").view(key=("order_id",))(Order)  # type: ignore[misc]


def orders_service() -> Service:
    """Return a service that has the copy."""
    orders = Service("orders")
    orders.view(key=("order_id",))(Order)
    return orders


@asynccontextmanager
async def shop(seed: int = 1, *, url: str = "sqlite:///:memory:", **changed: Any) -> AsyncIterator[Shop]:
    """Open an application whose provider is as `changed` says."""
    clock = StandingClock()
    clock.sleep = _sleeping(clock)  # type: ignore[method-assign]
    provider = Provider(clock)
    app = App(orders_service())
    times = {"every": changed.pop("every", None)}
    app.reconcile("till-orders", Order, Orders(provider, **changed), events=[OrderSeen, OrderGone], **times)
    ports = Ports(clock=clock, random=random.Random(seed))
    async with app.open(Settings(database_url=url), ports=ports, consume=False) as opened:
        consumers = await opened.carrying.consumers()
        scope = opened.scopes["till-orders"]
        yield Shop(opened, provider, clock, scope, consumers["orders.till-orders"])
        await consumers["orders.till-orders"].release()


def _sleeping(clock: StandingClock) -> Callable[[float], Any]:
    async def sleep(seconds: float) -> None:
        clock.move(clock.now_us() + int(seconds * SECOND) + 1)

    return sleep
