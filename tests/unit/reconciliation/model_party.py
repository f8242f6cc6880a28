"""The engine itself beside a party that loses, repeats and delays pushes, forgets their keys, and that others edit.

What is looked at all the time: no push has an effect twice while the party remembers its key, nor after that, if the
item was not read anew; and no push that a run has decided overwrites what somebody else has written, but where a policy
says so. In the end, after the passes that repair, the party holds what it should.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import msgspec

from tests.unit.reconciliation.declared import facts
from tests.unit.reconciliation.shop import SECOND
from tests.unit.reconciliation.virtual import VirtualClock
from tidings import App, Delivery, NotRetryable, Service, event
from tidings.app.opened import Opened
from tidings.errors import ProviderUnavailableError, RefusedError
from tidings.ports import Ports, utc
from tidings.reconciliation.listing import Answer, Page, Row
from tidings.reconciliation.outbound.party.expected import KIND, Expected
from tidings.reconciliation.outbound.party.holds import Holds
from tidings.reconciliation.rules.facts import Capability, Rate
from tidings.services.call import Call
from tidings.settings import Settings

SKUS = [f"p{n:02}" for n in range(12)]
FIELDS: dict[str, Any] = {
    "ours": "ours",
    "theirs": "theirs",
    "ask": "ask",
    "most": lambda base, ours, theirs: max(ours, theirs),
}
CHANGES_END, KEY_LIFE, SCOPE = 200.0, 25.0, "shop-items"
TTL = timedelta(seconds=20)


@event("item-taken-over", version=1, subject="sku")
class ItemTakenOver:
    sku: str
    state: dict[str, int]


@event("item-gone", version=1, subject="sku")
class ItemGone:
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """How a party is. Shares of pushes: `lost` on the way, or late, answered and `forgotten`, taken in and
    `unanswered`, `repeated` by the network later. `edits`: how often others write, s. `lag`: of its reads, s."""

    lost: float = 0.15
    forgotten: float = 0.1
    unanswered: float = 0.15
    repeated: float = 0.2
    edits: float = 4.0
    lag: float = 0.0
    errors: float = 0.05
    absent: str = "recreate"


@dataclass
class Item:
    """`edited`: the fields that others have written since they were pushed last; `changes`: counts all writes;
    `is_over_edit`: what is here was pushed over such, or as the item was gone."""

    state: dict[str, int]
    changes: int
    edited: dict[str, int] = field(default_factory=dict)
    is_over_edit: bool = False


@dataclass
class Outcome:
    """What a run came to; `first`: what was wrong first."""

    effects: int = 0
    edits: int = 0
    doubled: int = 0
    overwritten: int = 0
    unlike: int = 0
    first: str = ""

    def wrong(self, what: str, said: str) -> None:
        setattr(self, what, getattr(self, what) + 1)
        self.first = self.first or f"{what}: {said}"


class Party:
    """The party, and the adapter of it."""

    def __init__(self, nature: Nature, draw: random.Random, clock: VirtualClock) -> None:
        self.nature, self.draw, self.clock = nature, draw, clock
        self.facts = facts(
            seekable=False,
            page_limit=4,
            capability=Capability.EVENT_TIMED,
            replica_lag=timedelta(seconds=nature.lag),
            rate=Rate(per_second=100, burst=1_000, bulk_share=0.5),
        )
        self.items: dict[str, Item] = {}
        self.history: list[tuple[int, dict[str, tuple[dict[str, int], int]]]] = []
        self.used: dict[str, int] = {}
        self.decided: set[str] = set()
        self.numbers, self.outcome, self.is_calm = count(1), Outcome(), False
        self.late: set[asyncio.Task[None]] = set()
        self.had: set[str] = set()
        self.told: set[tuple[str, str, int]] = set()

    # pushes
    async def push(self, sku: str, state: dict[str, int] | None, told: Delivery) -> None:
        """Take one in over a bad network."""
        await asyncio.sleep(self.draw.uniform(0.01, 0.5))
        is_lost = self._happens(self.nature.lost)
        if self._happens(0.5 if is_lost else self.nature.repeated):
            self.late.add(asyncio.create_task(self._late(sku, state, told)))
        if is_lost:
            raise self._failure()
        if self._happens(self.nature.forgotten):
            self.had.add(sku)
            return
        self._take(sku, state, told)
        await asyncio.sleep(self.draw.uniform(0.01, 0.5))
        if self._happens(self.nature.unanswered):
            raise self._failure()

    def _failure(self) -> Exception:
        return NotRetryable("no answer") if self.draw.random() < 0.6 else ConnectionError("no answer")

    async def _late(self, sku: str, state: dict[str, int] | None, told: Delivery) -> None:
        """Have the network bring a copy later, while the party surely remembers the key if it was used."""
        await asyncio.sleep(self.draw.uniform(0.5, 0.8 * KEY_LIFE))
        with suppress(NotRetryable):
            self._take(sku, state, told, is_late=True)

    def _take(self, sku: str, state: dict[str, int] | None, told: Delivery, *, is_late: bool = False) -> None:
        now, key, item = self.clock.now_us(), told.idempotency_key, self.items.get(sku)
        if now - self.used.get(key, -(10**18)) <= KEY_LIFE * SECOND:
            return  # answered from memory
        if told.if_match is not None and (item is None or told.if_match != str(item.changes)):
            raise NotRetryable("412")
        self.used[key] = now
        self.outcome.effects += 1
        # What others had written, or removed, is pushed with another key, of which a late first one is no repeat.
        if item is not None and item.state == state and not (is_late and item.is_over_edit):
            self.outcome.wrong("doubled", f"{sku} {state} {told} at {now}")
        is_run = told.if_match is not None or key not in self.decided
        if is_run and not is_late and item is not None and state is not None:
            for name, value in item.edited.items():
                if name in ("ask", "theirs") and state[name] != value and (sku, name, value) not in self.told:
                    self.outcome.wrong("overwritten", f"{sku}.{name}={value} by {state} {told} at {now}")
        self._write(sku, state, is_over_edit=sku in self.had if item is None else bool(item.edited))
        self.had.add(sku)

    # what it holds, and others
    def _write(
        self,
        sku: str,
        state: dict[str, int] | None,
        edited: dict[str, int] | None = None,
        *,
        is_over_edit: bool = False,
    ) -> None:
        if state is None:
            self.items.pop(sku, None)
        else:
            self.items[sku] = Item(dict(state), next(self.numbers), edited or {}, is_over_edit)
        there = {name: (dict(each.state), each.changes) for name, each in self.items.items()}
        self.history.append((self.clock.now_us(), there))

    def edit(self) -> None:
        """Have somebody else write."""
        sku, draw = self.draw.choice(SKUS), self.draw.random()
        item = self.items.get(sku)
        self.outcome.edits += 1
        if draw < 0.1:
            extra = f"x{next(self.numbers)}"
            self._write(extra, {**dict.fromkeys(FIELDS, 1), "other": 0})
        elif item is not None and draw < 0.2:
            self._write(sku, None)
        elif item is not None:
            name, value = self.draw.choice([*FIELDS, "other"]), next(self.numbers)
            edited = {**item.edited, name: value}
            self._write(sku, {**item.state, name: value}, edited)

    # reads
    async def _reading(self) -> tuple[dict[str, tuple[dict[str, int], int]], datetime]:
        await asyncio.sleep(self.draw.uniform(0.001, 0.4))
        if self._happens(self.nature.errors):
            raise ProviderUnavailableError("503")
        now = self.clock.now_us()
        shown = now - int(self.draw.uniform(0, self.nature.lag) * SECOND)
        there = next((each for at, each in reversed(self.history) if at <= shown), {})
        await asyncio.sleep(self.draw.uniform(0.001, 0.4))
        return there, utc(now // SECOND * SECOND)

    def _happens(self, share: float) -> bool:
        return not self.is_calm and self.draw.random() < share

    @staticmethod
    def _row(sku: str, there: tuple[dict[str, int], int]) -> Row:
        return Row(key=sku, state=there[0], etag=str(there[1]))

    async def list_page(self, *, cursor: str | None, limit: int) -> Page:
        there, date = await self._reading()
        skus = [sku for sku in sorted(there) if cursor is None or sku > cursor]
        more = skus[limit - 1] if len(skus) > limit else None
        return Page(rows=[self._row(sku, there[sku]) for sku in skus[:limit]], next_cursor=more, server_date=date)

    async def get_one(self, key: str) -> Answer:
        there, date = await self._reading()
        return Answer(row=self._row(key, there[key]) if key in there else None, server_date=date)

    def observed(self, row: Row) -> ItemTakenOver:
        state = {name: row.state[name] for name in FIELDS}
        self.told |= {(row.key, name, value) for name, value in state.items()}  # ours from now on
        return ItemTakenOver(row.key, state)

    def deleted(self, key: str) -> ItemGone:
        return ItemGone(key)


class World:
    """One run of 200 s, and then the passes that repair."""

    def __init__(self, opened: Opened, party: Party, deliveries: dict[str, Any], clock: VirtualClock) -> None:
        self.opened, self.party, self.deliveries, self.clock = opened, party, deliveries, clock
        self.draw, self.scope = random.Random(party.draw.random()), opened.scopes[SCOPE]
        self.call = Call(opened.functions, store=opened.store, ports=opened.ports)
        self.wanted: dict[str, dict[str, int] | None] = {}
        self.is_over = False

    async def run(self) -> Outcome:
        parts = (
            self._often(self.decide, 0.5, 5.0),
            self._often(self.calls, 0.2, 1.5),
            self._often(self.edit, 0.1, 2 * self.party.nature.edits),
            self._often(self.passes, 3.0, 12.0),
            self._often(self.scope.read_dirty, 0.5, 2.0),
        )
        tasks = [asyncio.ensure_future(each) for each in parts]
        await asyncio.sleep(CHANGES_END)
        self.is_over = True
        await asyncio.gather(*tasks)
        await asyncio.gather(*self.party.late)
        await self._repair()
        await self._look()
        return self.party.outcome

    async def _often(self, act: Callable[[], Awaitable[Any]], least: float, most: float) -> None:
        while not self.is_over:
            await act()
            await asyncio.sleep(self.draw.uniform(least, most))

    async def decide(self) -> None:
        """Decide what the party should hold of one item: each time it differs."""
        sku, number = self.draw.choice(SKUS), next(self.party.numbers)
        state = None if self.draw.random() < 0.1 else dict.fromkeys(FIELDS, number)
        function = self.deliveries["remove" if state is None else "push"]
        async with self.opened.unit("shop") as ctx:
            await ctx.deliver(function, {"sku": sku, **(state or {})})
        self.wanted[sku] = state
        expected = (await self.expected())[sku]
        self.party.decided.add(expected.idempotency_key)

    async def edit(self) -> None:
        self.party.edit()

    async def calls(self) -> None:
        claimed = await self.opened.store.claim_deliveries(owner="us", services=["shop"], limit=20, ttl=TTL)
        await asyncio.gather(*(self.call.make(each) for each in claimed))

    async def passes(self) -> None:
        with suppress(RefusedError):
            await self.scope.run("run", applies=True)

    async def expected(self) -> dict[str, Expected]:
        rows = await self.opened.store.notes_between(SCOPE, KIND)
        found = [msgspec.msgpack.decode(body, type=Expected) for _, body in rows]
        return {each.key: each for each in found}

    async def _repair(self) -> None:
        """Let all that is under way end, and run twice: what a late copy of an earlier push took back needs a second
        push, as the party answers the first one from memory."""
        self.party.is_calm = True
        for _ in range(4):
            for each in await self.opened.store.deliveries(state="due", limit=1_000):
                await self.opened.store.retry_delivery(each["key"], at=self.clock.now_us())
            await self._settle()
            await self.passes()
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(3):
            await self.calls()
            await asyncio.sleep(40.0)
            while await self.scope.read_dirty():
                await self.calls()
        await asyncio.sleep(40.0)

    async def _look(self) -> None:
        outcome, excepted = self.party.outcome, {each.key for each in (await self.scope.asof()).exceptions}
        for sku, held in (await self.expected()).items():
            item = self.party.items.get(sku)
            if sku in excepted:
                continue
            if held.is_removed:
                is_unlike = item is not None and held.state != "gone"  # else it is told as what nobody expected
            else:
                wanted = msgspec.json.decode(held.payload)
                is_unlike = item is None or any(item.state[name] != wanted[name] for name in FIELDS)
            last = self.wanted.get(sku)
            is_ours = (last is None or self.party.nature.absent == "accept") if held.is_removed else last is not None
            if last is not None and not held.is_removed:
                is_ours = msgspec.json.decode(held.payload)["ours"] == last["ours"]
            if is_unlike or not is_ours or not held.is_settled:
                outcome.wrong("unlike", f"{sku}: {held} and {item}, wanted {last}")
        last = await self.scope.run("plan")
        if (last.state, last.appended) != ("done", 0):
            outcome.wrong("unlike", f"the last run is {last.state} and repairs {last.appended}: {last.why}")
        if (await self.scope.asof()).deletes is None:
            outcome.wrong("unlike", "nothing is proved")


async def one(nature: Nature, seed: int) -> Outcome:
    """Run one seed."""
    clock, draw = VirtualClock(), random.Random(seed)
    party, shop = Party(nature, draw, clock), Service("shop", emits=[ItemTakenOver, ItemGone])

    @shop.delivery
    async def push(item: dict[str, Any], told: Delivery) -> None:
        sku = item["sku"]
        other = party.items[sku].state["other"] if sku in party.items else 0
        await party.push(sku, {**{name: item[name] for name in FIELDS}, "other": other}, told)

    @shop.delivery
    async def remove(item: dict[str, Any], told: Delivery) -> None:
        await party.push(item["sku"], None, told)

    app = App(shop)
    holds = Holds(
        by=push,
        key="sku",
        fields=FIELDS,
        absent=nature.absent,  # type: ignore[arg-type]
        key_life=timedelta(seconds=KEY_LIFE - 1),
        removed_by=remove,
    )
    app.reconcile_party(SCOPE, party, holds)
    ports = Ports(clock=clock, random=random.Random(seed))
    async with app.open(Settings(database_url="sqlite:///:memory:"), ports=ports, consume=False) as opened:
        return await World(opened, party, {"push": push, "remove": remove}, clock).run()
