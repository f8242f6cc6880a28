"""The engine itself on a clock that jumps, beside a provider that changes, fails, lags and lies, as reads overlap.

`python -m tests.unit.reconciliation.count --seeds 20000` runs as many, over all kinds of honest providers. What is told
is compared with the truth all the time: whatever existed by T is shown as it was then or later, and what was deleted by
T is not shown. In the end the copy is right, and what the log says with its verdicts is what the copy holds.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.unit.reconciliation.model_provider import KEYS, Kind, Till, Truth
from tests.unit.reconciliation.shop import Order, OrderGone, OrderSeen, orders_service
from tests.unit.reconciliation.virtual import VirtualClock
from tidings import App
from tidings.app.opened import Opened
from tidings.errors import RefusedError
from tidings.ports import Ports, utc
from tidings.reconciliation.copy.mirror import _Page, _Told
from tidings.reconciliation.kept.book import Mirrors
from tidings.reconciliation.kept.coding import Mirrored, key_place, known_of, number_of
from tidings.reconciliation.rules.facts import Capability
from tidings.reconciliation.rules.floors import NEVER, UNPROVED, Floors
from tidings.settings import Settings
from tidings.store.rows import Rank

CHANGES_END, END = 90.0, 120.0
SCOPE = "till-orders"


WORLD: list[World] = []
"""The one that runs, last."""


@dataclass
class Outcome:
    """What a run came to. `wrong`: what was told and was not so, by what it was."""

    checks: int = 0
    violations: int = 0
    wrong_deletes: int = 0
    is_wrong: bool = False
    differs: int = 0
    differs_now: int = 0
    back: int = 0
    first: str = ""


class World:
    """One run of 120 s, and four clean passes after it."""

    def __init__(self, kind: Kind, seed: int, opened: Opened, clock: VirtualClock, till: Till) -> None:
        self.kind, self.clock, self.till, self.opened = kind, clock, till, opened
        self.draw = random.Random(seed)
        self.truth, self.scope = till.truth, opened.scopes[SCOPE]
        self.amounts, self.ids = count(1), count()
        self.outcome = Outcome()
        self.seen: dict[str, int] = {}
        self.is_over = False

    async def run(self) -> Outcome:
        WORLD.append(self)
        consumers = await self.opened.carrying.consumers()
        self.mirror = consumers[f"orders.{SCOPE}"]
        period, nap = (7.0, 6.0) if self.kind.is_stressed else (self.kind.every, 0.1 if self.kind.is_close else 1.5)
        loops = [
            self._every(
                lambda: self.draw.expovariate(1 / (0.1 if self.kind.is_busy else 0.4)), self._change, until=CHANGES_END
            ),
            self._every(lambda: self.draw.uniform(0.02, nap), self._carry),
            *(
                self._every(lambda: self.draw.uniform(0.1, 0.9), self.scope.read_dirty)
                for _ in range(3 if self.kind.is_close else 1)
            ),
            self._every(lambda: 0.7, self._check),
            self._listing(5.0, period, lambda: self.scope.run("run", applies=True), until=END),
            *([self._listing(20.0, 4.0, self.scope.run_changed, until=END)] if self.kind.changes else []),
        ]
        self.telling: set[asyncio.Task[None]] = set()
        tasks = [asyncio.ensure_future(each) for each in loops]
        await asyncio.sleep(END)
        self.till.is_calm = True
        for number in range(4):
            await asyncio.sleep(45 if number == 0 else 12)
            await self._clean(approves=number == 2)
        self.is_over = True
        await asyncio.gather(*tasks, *self.telling)
        await self.mirror.release()
        await self._judge()
        WORLD.clear()
        return self.outcome

    async def _clean(self, *, approves: bool) -> None:
        try:
            ended = await self.scope.run("run", applies=True)
            if ended.state == "held" and approves:
                await self.scope.approve(ended.id, at_most=1_000)
        except RefusedError:
            return
        await asyncio.sleep(6)

    async def _every(self, gap: Callable[[], float], act: Callable[[], Awaitable[Any]], until: float = 1e9) -> None:
        while not self.is_over and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(gap() * (4 if self.till.is_calm else 1))
            await act()

    async def _listing(self, first: float, period: float, act: Callable[[], Awaitable[Any]], until: float) -> None:
        await asyncio.sleep(first)
        while asyncio.get_running_loop().time() < until:
            due = asyncio.get_running_loop().time() + period
            with suppress(RefusedError):
                await act()
            await asyncio.sleep(max(due - asyncio.get_running_loop().time(), 0.1))

    async def _carry(self) -> None:
        carried = 0
        while await self.mirror.step(asyncio.Event()) is None:
            carried += 1
        if carried and self.kind.capability is Capability.BARE:
            self._note_steps_back(await self._amounts())

    # the provider's side
    async def _change(self) -> None:
        key, now = self.draw.choice(KEYS), self.clock.now_us()
        is_live = self.truth.state(key, now) is not None
        amount = None if is_live and self.draw.random() < 0.3 else self._amount(key, is_live)
        self.truth.changed(key, now, amount)
        if self.draw.random() < (0.5 if self.kind.is_stressed else 0.25):
            return
        at = utc(now // self.till.facts.tick_us * self.till.facts.tick_us)
        told = OrderGone(key, at) if amount is None else OrderSeen(key, amount, at)
        id = f"w{next(self.ids)}"
        for _ in range(2 if self.draw.random() < 0.25 else 1):
            slow = self.draw.random() < (0.6 if self.kind.is_busy else 0.2)
            delay = self.draw.uniform(0, 40) if slow else self.draw.expovariate(1 / 0.8)
            task = asyncio.ensure_future(self._webhook(delay, told, id))
            self.telling.add(task)

    def _amount(self, key: str, is_live: bool) -> int:
        before = [amount for _, amount in self.truth.history[key] if amount is not None]
        return before[-1] if self.kind.returns and not is_live and before else next(self.amounts)

    async def _webhook(self, delay: float, told: Any, id: str) -> None:
        await asyncio.sleep(delay)
        await self.opened.publish(told, source="/till", id=id, time=utc(0))

    # the truth
    async def _amounts(self) -> dict[str, int]:
        async with self.opened.store.unit() as unit:
            return dict(await unit.sql.fetch("SELECT order_id, amount FROM orders_order"))

    def _note_steps_back(self, shown: dict[str, int]) -> None:
        for key, amount in shown.items():
            index = self.truth.of[key, amount]
            self.outcome.back += index < self.seen.get(key, -1)
            self.seen[key] = index

    async def _shown(self) -> dict[str, int]:
        async with self.opened.store.unit() as unit:
            shown = dict(await unit.sql.fetch("SELECT order_id, amount FROM orders_order"))
            rows = await unit.notes_between(SCOPE, "floor")
            suspects = await unit.notes_between(SCOPE, "suspect")
        floors = Floors(tuple(key_place(key) for key, _ in rows), tuple(known_of(body) for _, body in rows))
        self.floors = floors if rows and not rows[0][0] else UNPROVED
        self.suspected = {key for at, _ in suspects for key in key_place(at)}
        return shown

    async def _check(self) -> None:
        shown = await self._shown()
        for key in KEYS:
            amount = shown.get(key)
            known = self.floors.at((key,))
            if known.shown_put != NEVER and key not in self.suspected:
                self._hold(key, amount, known.shown_put, deletes=False)
            if min(known.shown_put, known.shown_delete) != NEVER:
                self._hold(key, amount, min(known.shown_put, known.shown_delete), deletes=True)

    def _hold(self, key: str, amount: int | None, told: int, *, deletes: bool) -> None:
        self.outcome.checks += 1
        history, least = self.truth.history[key], self.truth.index(key, told + self.till.facts.tick_us - 1)
        if least < 0:
            return
        if amount is None:
            holds = any(each is None for _, each in history[least:])
        else:
            is_gone = any(each is None for _, each in history[least:])
            holds = self.truth.of[key, amount] >= least or (is_gone and not deletes)
        if not holds:
            self.outcome.violations += 1
            if not self.outcome.first:
                now = self.clock.now_us()
                self.outcome.first = f"{key} {history} shown {amount} told {told} deletes {deletes} at {now}"

    async def _judge(self) -> None:
        now = self.clock.now_us()
        true = {key: state[1] for key in KEYS if (state := self.truth.state(key, now)) is not None}
        shown = await self._shown()
        self.outcome.is_wrong = shown != true
        if self.outcome.is_wrong and not self.outcome.first:
            apart = {key: (shown.get(key), true.get(key)) for key in KEYS if shown.get(key) != true.get(key)}
            self.outcome.first = f"in the end {apart}"
        for finding in await self.scope.findings():
            if finding.kind == "extra" and self.kind.capability is not Capability.BARE:
                at = finding.rank[0] + self.till.facts.tick_us - 1
                index = self.truth.index(finding.key, at)
                later = self.truth.history[finding.key][max(index, 0) :]
                changes = [amount for when, amount in later if when <= finding.since]
                self.outcome.wrong_deletes += index >= 0 and None not in changes
        self.outcome.differs = await self._refold()

    async def _refold(self) -> int:
        """Return in how many keys the log, without what was late, differs from what the copy holds."""
        if self.kind.capability is Capability.BARE:
            return 0
        store, mirror = self.opened.store, self.scope.mirror
        late = {number_of(key) for key, _ in await store.notes_between(SCOPE, "late")}
        page, told = _Page(Mirrors(), await self.scope.record()), list[_Told]()
        copying = mirror._copying(page.record.secret)
        at = 0
        while entries := (await self.opened.log.read(after=at, limit=500)).entries:
            at = entries[-1].position
            for entry in entries:
                if entry.position not in late:
                    mirror._tell(page, told, entry, mirror._said(entry), copying, {})  # type: ignore[arg-type]
        best, now = dict[bytes, Any](), dict[bytes, Any]()
        for each in told:
            best[each.at] = max(best.get(each.at, each.rank), each.rank)
            known = self.floors.at(key_place(each.at))
            if each.is_repair or each.rank.at > (known.delete if each.rank.kind else known.put):
                now[each.at] = max(now.get(each.at, each.rank), each.rank)
        held = {at: Mirrored.of(at, body).rank for at, body in await store.notes_between(SCOPE, "mirror")}
        self.outcome.differs_now = sum(now.get(at) != held.get(at) for at in held)
        return sum(_visible(best.get(at)) != _visible(held.get(at)) for at in {*best, *held})


def _visible(rank: Rank | None) -> Rank | None:
    """Return the rank of a row, None of a tombstone, which may be purged."""
    return None if rank is None or rank.kind else rank


async def one(kind: Kind, seed: int) -> Outcome:
    """Run one seed."""
    clock = VirtualClock()
    till = Till(kind, Truth(clock), random.Random(seed + 1))
    app = App(orders_service())
    app.reconcile(SCOPE, Order, till, events=[OrderSeen, OrderGone])
    ports = Ports(clock=clock, random=random.Random(seed))
    async with app.open(Settings(database_url="sqlite:///:memory:"), ports=ports, consume=False) as opened:
        return await World(kind, seed, opened, clock, till).run()
