"""An application that sends webhooks, a receiver that loses some and lists what it has, and a clock by hand."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from tests.unit.reconciliation.declared import facts
from tests.unit.reconciliation.shop import SECOND, OrderSeen
from tidings import App, Service
from tidings.app.opened import Opened
from tidings.consumers.consumer import Consumer
from tidings.ports import Ports, utc
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.listing import Answer, Page, Row
from tidings.reconciliation.rules.facts import Capability, Order, ProviderFacts
from tidings.reconciliation.scope import Reconciliation
from tidings.settings import Settings
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, Claiming, Result
from tidings.testing.clock import StandingClock
from tidings.webhooks.deliver.signing import message_id

TTL = timedelta(seconds=60)
DELIVERED = Result(state="delivered", outcome="delivered")
DEAD = Result(state="dead", outcome="http-500", reason="exhausted", error="500")


@dataclass
class Receiver:
    """What it has of what it took, by id. `order`: of its list; `tells_hash`: whether it lists hashes of bodies."""

    clock: StandingClock
    taken: dict[str, bytes] = field(default_factory=dict)
    posts: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tells_hash: bool = True
    order: Order = Order.KEY
    bend: Callable[[Page], Page] = lambda page: page
    answer: Callable[[str, Answer], Answer] = lambda key, answer: answer
    before: Callable[[], Any] | None = None

    def take(self, id: str, body: bytes) -> None:
        self.posts.append(id)
        self.taken[id] = sha256(body).digest()

    def date(self) -> datetime:
        return utc(self.clock.now_us() // SECOND * SECOND)

    def row(self, id: str, place: int) -> Row:
        order = None if self.order is Order.KEY else (place, id)
        return Row(key=id, order=order, state={"sha256": self.taken[id].hex()} if self.tells_hash else {})


class Taken:
    """The adapter."""

    def __init__(self, receiver: Receiver, **changed: Any) -> None:
        self.receiver = receiver
        self._facts = facts(page_limit=4, capability=Capability.EVENT_TIMED, seekable=False, **changed)
        receiver.order = self._facts.order

    @property
    def facts(self) -> ProviderFacts:
        return self._facts

    async def list_page(self, *, cursor: str | None, limit: int) -> Page:
        receiver = self.receiver
        before, receiver.before = receiver.before, None
        if before is not None:
            await before()
        ids = sorted(receiver.taken) if receiver.order is Order.KEY else list(receiver.taken)
        places = sorted(ids) if receiver.order is Order.KEY else [f"{n:06}" for n in range(len(ids))]
        start = 0 if cursor is None else bisect_right(places, cursor)
        rows = [receiver.row(id, n) for n, id in list(enumerate(ids))[start : start + limit]]
        more = places[start + limit - 1] if start + limit < len(ids) else None
        return receiver.bend(Page(rows=rows, next_cursor=more, server_date=receiver.date()))

    async def get_one(self, key: str) -> Answer:
        self.receiver.asked.append(key)
        row = self.receiver.row(key, 0) if key in self.receiver.taken else None
        return self.receiver.answer(key, Answer(row=row, server_date=self.receiver.date()))


@dataclass
class Sender:
    """The application, open. `ids`: the `webhook-id` of each event, by its number."""

    opened: Opened
    receiver: Receiver
    clock: StandingClock
    scope: Reconciliation
    fan_out: Consumer
    ids: dict[int, str] = field(default_factory=dict)

    async def publish(self, *numbers: int, subject: str = "") -> None:
        """Have events happen, and be meant for the endpoint."""
        for n in numbers:
            now = utc(self.clock.now_us())
            told = OrderSeen(subject or f"o{n:02}", n, now)
            await self.opened.publish(told, source="/shop", id=f"e{n}", time=now)
            self.ids[n] = message_id("/shop", f"e{n}")
        while await self.fan_out.step(asyncio.Event()) is None:
            pass

    async def post(self, *, result: Result = DELIVERED, is_taken: bool = True, limit: int = 500) -> int:
        """Make the attempts that are due; return how many there were."""
        claims = await self.opened.store.claim_endpoint_deliveries(
            Claiming(owner="us", limit=limit, late=limit), ttl=TTL
        )
        claimed = [each for claim in claims for each in claim.deliveries]
        for each in claimed:
            [entry] = await self.opened.log.at([each.delivery.position])
            body = entry.envelope.id.encode()
            if is_taken:
                self.receiver.take(message_id(entry.envelope.source, entry.envelope.id), body)
            await self._settle(each, result, body)
        return len(claimed)

    async def _settle(self, claimed: ClaimedEndpointDelivery, result: Result, body: bytes) -> None:
        hashed = replace(result, body_hash=sha256(body).digest())
        await self.opened.store.settle_endpoint_deliveries([claimed], lambda _: hashed)

    async def sent(self, count: int) -> None:
        """Have so many events be delivered, and so much time pass that all of it is judged."""
        await self.publish(*range(count))
        while await self.post():
            pass
        self.pass_time(60)

    async def run(self, **more: Any) -> Run:
        return await self.scope.run("run", applies=True, **more)

    async def states(self) -> dict[str, str]:
        """Return the state of each delivery, by its key."""
        return {each["key"]: each["state"] for each in await self.opened.store.deliveries(limit=10_000)}

    def pass_time(self, seconds: float) -> None:
        self.clock.move(self.clock.now_us() + int(seconds * SECOND))


def sending_app(receiver: Receiver, *, window: timedelta = timedelta(days=1), **changed: Any) -> App:
    """Return an application of one service, whose endpoint `till` is reconciled with what the receiver lists."""
    app = App(Service("shop", emits=[OrderSeen]))
    every = changed.pop("every", None)
    app.reconcile_endpoint("till-webhooks", "till", Taken(receiver, **changed), window=window, every=every)
    return app


@asynccontextmanager
async def sender(
    *, endpoint: dict[str, Any] | None = None, url: str = "sqlite:///:memory:", clock: Any = None, **changed: Any
) -> AsyncIterator[Sender]:
    """Open it. `endpoint`: members of the endpoint; `clock`: None for one by hand; `changed`: of the scope, and of its
    facts."""
    if clock is None:
        clock = StandingClock()
        clock.sleep = _sleeping(clock)  # type: ignore[method-assign]
    receiver = Receiver(clock)
    app = sending_app(receiver, **changed)
    ports = Ports(clock=clock, random=random.Random(1))
    settings = Settings(database_url=url)
    async with app.open(settings, ports=ports, consume=False) as opened:
        await opened.endpoints.add({"url": "https://till.example/hooks", "slots": 200, **(endpoint or {})}, id="till")
        fan_out = (await opened.carrying.consumers())["endpoints"]
        yield Sender(opened, receiver, clock, opened.scopes["till-webhooks"], fan_out)
        await fan_out.release()


def _sleeping(clock: StandingClock) -> Callable[[float], Any]:
    async def sleep(seconds: float) -> None:
        clock.move(clock.now_us() + int(seconds * SECOND) + 1)

    return sleep
