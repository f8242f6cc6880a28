"""The engine itself, on a clock by hand, beside a provider that changes, loses, doubles, delays and lies meanwhile.

What is told is compared with the truth at every step: whatever existed by T is shown as it was then or later, and what
was deleted by T is not shown. No item is deleted that existed from the read on; after a clean pass the copy is right.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from tests.scale import SCALE
from tests.unit.reconciliation.shop import SECOND, Item, OrderGone, OrderSeen, Shop, shop
from tidings.errors import CursorExpiredError, ProviderUnavailableError, RateLimitedError
from tidings.ports import utc
from tidings.reconciliation.facts import Capability
from tidings.reconciliation.floors import NEVER
from tidings.reconciliation.listing import Page

SEEDS = 3 * SCALE
KEYS = 14
STEPS = 60


@dataclass
class World:
    """One run. `history`: by key, when it changed, and to what; None where it was deleted."""

    at: Shop
    draw: random.Random
    is_honest: bool
    history: dict[str, list[tuple[int, int | None]]] = field(default_factory=dict)
    waiting: list[tuple[int, str, Any]] = field(default_factory=list)
    amounts: int = 0
    checks: int = 0
    ids: int = 0
    wrong: list[str] = field(default_factory=list)

    # the provider
    def change(self) -> None:
        key, now = f"o{self.draw.randrange(KEYS):02}", self.at.clock.now_us()
        items = self.at.provider.items
        if key in items and items[key].changed // SECOND == now // SECOND and self.draw.random() < 0.7:
            return  # most changes of an item are further apart than a tick
        told: Any
        if key in items and self.draw.random() < 0.3:
            del items[key]
            self.history.setdefault(key, []).append((now, None))
            told = OrderGone(key, utc(now))
        else:
            self.amounts += 1
            items[key] = Item(self.amounts, now)
            self.history.setdefault(key, []).append((now, self.amounts))
            told = OrderSeen(key, self.amounts, utc(now))
        if self.draw.random() < 0.3:
            return  # lost
        self.ids += 1
        for _ in range(2 if self.draw.random() < 0.25 else 1):
            due = now + int(self.draw.expovariate(1 / 3) * SECOND)
            self.waiting.append((due, f"w{self.ids}", told))

    async def arrive(self) -> None:
        """Let webhooks arrive that are due."""
        now = self.at.clock.now_us()
        due = [each for each in self.waiting if each[0] <= now]
        self.waiting = [each for each in self.waiting if each[0] > now]
        self.draw.shuffle(due)
        for _, id, told in due:
            await self.at.opened.publish(told, source="/till", id=id, time=utc(0))

    async def meanwhile(self) -> None:
        """What happens between any two reads."""
        self.at.provider.before = self.meanwhile
        self.at.pass_time(self.draw.random() * 0.5)
        for _ in range(self.draw.randrange(3)):
            self.change()
        if self.draw.random() < 0.5:
            await self.arrive()
        if self.draw.random() < 0.5:
            await self.at.carry()
        await self.check()

    def trouble(self, what: str) -> None:
        lot = self.draw.random()
        if lot < 0.04:
            raise ProviderUnavailableError("502")
        if lot < 0.06:
            raise RateLimitedError(timedelta(seconds=2))
        if lot < 0.08 and what == "list":
            raise CursorExpiredError

    def bend(self, page: Page) -> Page:
        if self.is_honest:
            return self.short(page)
        lot = self.draw.random()
        if lot < 0.05:
            return replace(page, rows=[row for row in page.rows if self.draw.random() < 0.6])
        if lot < 0.08:
            return replace(page, rows=[], next_cursor=None)
        return page

    def short(self, page: Page) -> Page:
        if self.draw.random() < 0.2 and len(page.rows) > 1:
            rows = page.rows[: self.draw.randrange(1, len(page.rows))]
            return replace(page, rows=rows, next_cursor=f"after:{rows[-1].key}")
        return page

    # the truth
    async def check(self) -> None:
        found = await self.at.scope.asof()
        shown = await self.at.shown()
        apart = {each.key for each in found.exceptions}
        for key, changes in self.history.items():
            for told, is_deletes in ((found.upserts, False), (found.deletes, True)):
                if told is None or told == NEVER or key in apart:
                    continue
                self.checks += 1
                if not self.holds(changes, shown.get(key), told + SECOND - 1, deletes=is_deletes):
                    self.wrong.append(f"{key} {changes} shown {shown.get(key)} at {told} {is_deletes}")

    def holds(self, changes: list[tuple[int, int | None]], shown: int | None, at: int, *, deletes: bool) -> bool:
        by_then = [index for index, (when, _) in enumerate(changes) if when <= at]
        if not by_then:
            return True
        least = by_then[-1]
        if shown is None:
            return any(amount is None for _, amount in changes[least:])
        index = next(n for n, (_, amount) in enumerate(changes) if amount == shown)
        return index >= least or (not deletes and changes[least][1] is None)


async def run(seed: int, *, honest: bool, **changed: Any) -> World:
    draw = random.Random(seed)
    async with shop(seed, **changed) as at:
        world = World(at, draw, honest)
        at.provider.before = world.meanwhile
        at.provider.trouble = world.trouble
        at.provider.bend = world.bend
        for _ in range(STEPS // 6):
            for _ in range(6):
                at.pass_time(draw.random() * 2)
                world.change()
                await world.arrive()
                await at.carry()
                await world.check()
            await at.scope.run("run", applies=True)
            await at.scope.read_dirty()
        calm(at)
        for _ in range(3):
            at.pass_time(20)
            await world.arrive()
            await at.carry()
            ended = await at.scope.run("run", applies=True)
            if ended.state == "held":
                await at.scope.approve(ended.id, at_most=1_000)
            await at.carry()
            await at.scope.read_dirty()
            await at.carry()
            await world.check()
        if await at.shown() != at.true:
            world.wrong.append(f"in the end {await at.shown()} and not {at.true}")
        return world


def calm(at: Shop) -> None:
    at.provider.before = None
    at.provider.trouble = lambda what: None
    at.provider.bend = lambda page: page


@pytest.mark.parametrize("capability", [Capability.VERSIONED, Capability.EVENT_TIMED])
async def test_level_two_zeros(capability: Capability) -> None:
    checks = 0
    for seed in range(SEEDS):
        world = await run(seed, honest=True, capability=capability)
        assert world.wrong == [], f"seed {seed}"
        checks += world.checks
    assert checks > 100 * SEEDS


async def test_lists_that_lie_lead_to_no_wrong_end() -> None:
    for seed in range(SEEDS):
        world = await run(seed, honest=False)
        assert [each for each in world.wrong if each.startswith("in the end")] == [], f"seed {seed}"


BREAKS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "late events are merged": lambda patch: patch.setattr(
        "tidings.reconciliation.mirror.merged", lambda *given, **named: _by_rank()
    ),
    "a read is dated by its end": lambda patch: patch.setattr(
        "tidings.reconciliation.stamps.Stamps.stamp", lambda stamps, asked: asked.date
    ),
}


def _by_rank() -> Any:
    from tidings.reconciliation.merging import Merge

    return Merge.BY_RANK


@pytest.mark.parametrize("broken", BREAKS)
async def test_each_rule_switched_off_is_caught(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BREAKS[broken](monkeypatch)
    for seed in range(200):
        if (await run(seed, honest=True, capability=Capability.EVENT_TIMED)).wrong:
            return
    raise AssertionError("nothing was found wrong")
