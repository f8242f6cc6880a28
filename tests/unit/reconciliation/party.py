"""An application that pushes prices to a party, the party, which others change too, and a clock by hand."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.unit.reconciliation.declared import facts
from tests.unit.reconciliation.receiver import _sleeping
from tests.unit.reconciliation.shop import SECOND
from tidings import App, Delivery, NotRetryable, Service, event
from tidings.app.opened import Opened
from tidings.ports import Ports, utc
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.listing import Answer, Page, Row
from tidings.reconciliation.outbound.listed import Listed
from tidings.reconciliation.outbound.party.expected import Expectations, Expected
from tidings.reconciliation.outbound.party.holds import Holds
from tidings.reconciliation.rules.facts import Capability, Order, ProviderFacts
from tidings.reconciliation.scope import Reconciliation
from tidings.services.call import Call
from tidings.settings import Settings
from tidings.testing.clock import StandingClock

TTL = timedelta(seconds=60)
SCOPE = "shop-prices"


@event("price-taken-over", version=1, subject="sku")
class PriceTakenOver:
    sku: str
    cents: int
    note: str


@event("price-gone", version=1, subject="sku")
class PriceGone:
    sku: str


@dataclass(frozen=True)
class Asked:
    """One push as the party was asked."""

    sku: str
    key: str
    if_match: str | None


@dataclass
class Party:
    """What it holds, and what goes wrong with it. `remembers`: keys that were used. `does`: says what becomes of a
    push; `error`: with which it fails, if it does."""

    clock: StandingClock
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    effects: list[Asked] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    remembers: set[str] = field(default_factory=set)
    does: Callable[[Asked], str] = lambda asked: "take"
    order: Order = Order.KEY
    bend: Callable[[Page], Page] = lambda page: page
    answer: Callable[[str, Answer], Answer] = lambda key, answer: answer
    tags: bool = True
    error: type[Exception] = ConnectionError

    def push(self, asked: Asked, item: dict[str, Any] | None) -> None:
        """Take a push in. `lose`: it answers, and forgets; `fail`: it takes it and does not answer; `down`: nothing."""
        self.asked.append(asked)
        what = self.does(asked)
        if what == "down":
            raise self.error("it does not answer")
        if what != "lose" and asked.key not in self.remembers:
            self._take(asked, item)
        if what == "fail":
            raise self.error("it took it and did not answer")

    def _take(self, asked: Asked, item: dict[str, Any] | None) -> None:
        if asked.if_match is not None and asked.if_match != self.tag(asked.sku):
            raise NotRetryable("412: it is not as it was")
        self.remembers.add(asked.key)
        self.effects.append(asked)
        if item is None:
            self.items.pop(asked.sku, None)
        else:
            self.items[asked.sku] = {**self.items.get(asked.sku, {"stock": 0}), **item}

    def tag(self, sku: str) -> str | None:
        return repr(sorted(self.items[sku].items())) if self.tags and sku in self.items else None

    def date(self) -> datetime:
        return utc(self.clock.now_us() // SECOND * SECOND)

    def row(self, sku: str, place: int) -> Row:
        order = None if self.order is Order.KEY else (place, sku)
        return Row(key=sku, order=order, state=dict(self.items[sku]), etag=self.tag(sku))


class Prices:
    """The adapter."""

    def __init__(self, party: Party, **changed: Any) -> None:
        self.party = party
        usual: dict[str, Any] = {"page_limit": 4, "capability": Capability.EVENT_TIMED, "seekable": False}
        self._facts = facts(**{**usual, **changed})
        party.order = self._facts.order

    @property
    def facts(self) -> ProviderFacts:
        return self._facts

    async def list_page(self, *, cursor: str | None, limit: int) -> Page:
        party = self.party
        skus = sorted(party.items) if party.order is Order.KEY else list(party.items)
        places = skus if party.order is Order.KEY else [f"{n:06}" for n in range(len(skus))]
        start = 0 if cursor is None else bisect_right(places, cursor)
        rows = [party.row(sku, n) for n, sku in list(enumerate(skus))[start : start + limit]]
        more = places[start + limit - 1] if start + limit < len(skus) else None
        return party.bend(Page(rows=rows, next_cursor=more, server_date=party.date()))

    async def get_one(self, key: str) -> Answer:
        self.party.read.append(key)
        row = self.party.row(key, 0) if key in self.party.items else None
        return self.party.answer(key, Answer(row=row, server_date=self.party.date()))

    def observed(self, row: Row) -> PriceTakenOver:
        return PriceTakenOver(row.key, row.state["cents"], row.state["note"])

    def deleted(self, key: str) -> PriceGone:
        return PriceGone(key)


@dataclass
class Seller:
    """The application, open."""

    opened: Opened
    party: Party
    clock: StandingClock
    scope: Reconciliation
    deliveries: dict[str, Any]
    call: Call

    async def decide(self, sku: str, cents: int | None, note: str = "") -> None:
        """Decide what the party should hold; None: no such item."""
        async with self.opened.unit("shop") as ctx:
            if cents is None:
                await ctx.deliver(self.deliveries["withdraw"], {"sku": sku})
            else:
                await ctx.deliver(self.deliveries["push_price"], {"sku": sku, "cents": cents, "note": note})

    async def calls(self) -> int:
        """Make the calls that are due; return how many there were."""
        claimed = await self.opened.store.claim_deliveries(owner="us", services=["shop"], limit=500, ttl=TTL)
        for each in claimed:
            await self.call.make(each)
        return len(claimed)

    async def pushed(self, count: int) -> None:
        """Have so many items be pushed, and so much time pass that all of them are judged."""
        for n in range(count):
            await self.decide(f"p{n:02}", 100 + n)
        while await self.calls():
            pass
        self.pass_time(60)

    async def run(self, **more: Any) -> Run:
        return await self.scope.run("run", applies=True, **more)

    async def again(self) -> Run:
        """Run, make the calls that follow, and let time pass."""
        run = await self.run()
        await self.calls()
        self.pass_time(60)
        return run

    async def expected(self, sku: str) -> Expected:
        async with self.opened.store.unit() as unit:
            return (await Expectations(unit, SCOPE).at([Listed.at(sku)]))[Listed.at(sku)]

    async def kinds(self, run: Run) -> list[tuple[str, str, str]]:
        """Return kind, key and state of what a run found."""
        return [(each.kind, each.key, each.state) for each in await self.scope.findings(run=run.id)]

    async def told(self) -> list[Any]:
        """Return the events that tell what was taken over."""
        page = await self.opened.log.read(after=0, limit=1_000)
        return [self.opened.catalog.decode(each.envelope) for each in page.entries]

    def pass_time(self, seconds: float) -> None:
        self.clock.move(self.clock.now_us() + int(seconds * SECOND))


def selling_service(party: Party) -> tuple[Service, dict[str, Any]]:
    """Return a service that pushes to the party, and its deliveries."""
    shop = Service("shop", emits=[PriceTakenOver, PriceGone])

    @shop.delivery
    async def push_price(price: dict[str, Any], delivery: Delivery) -> None:
        item = {name: price[name] for name in ("cents", "note")}
        party.push(Asked(price["sku"], delivery.idempotency_key, delivery.if_match), item)

    @shop.delivery
    async def withdraw(price: dict[str, Any], delivery: Delivery) -> None:
        party.push(Asked(price["sku"], delivery.idempotency_key, delivery.if_match), None)

    return shop, {"push_price": push_price, "withdraw": withdraw}


def selling_app(party: Party, *, every: Any = None, **changed: Any) -> tuple[App, dict[str, Any]]:
    """Return an application whose prices the party should hold. `changed`: of what it should, and of its facts."""
    shop, deliveries = selling_service(party)
    app = App(shop)
    names = ("fields", "absent", "key_life", "removes")
    declared = {name: changed.pop(name) for name in names if name in changed}
    usual: dict[str, Any] = {"fields": {"cents": "ours", "note": "ask"}, "removed_by": deliveries["withdraw"]}
    holds = Holds(by=deliveries["push_price"], key="sku", **{**usual, **declared})
    app.reconcile_party(SCOPE, Prices(party, **changed), holds, every=every)
    return app, deliveries


@asynccontextmanager
async def seller(*, url: str = "sqlite:///:memory:", **changed: Any) -> AsyncIterator[Seller]:
    clock = StandingClock()
    clock.sleep = _sleeping(clock)  # type: ignore[method-assign]
    party = Party(clock)
    app, deliveries = selling_app(party, **changed)
    ports = Ports(clock=clock, random=random.Random(1))
    async with app.open(Settings(database_url=url), ports=ports, consume=False) as opened:
        call = Call(opened.functions, store=opened.store, ports=ports)
        yield Seller(opened, party, clock, opened.scopes[SCOPE], deliveries, call)
        await asyncio.sleep(0)
