"""How often a provider's account may be asked, by all processes together, and by whom: reads that somebody waits for
come before whole lists."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec

from tidings.ports import Ports
from tidings.reconciliation.kept.notes import THERE
from tidings.reconciliation.rules.facts import Rate
from tidings.reconciliation.rules.purses import (
    REST_MAX,
    SECOND,
    Priority,
    Purse,
    above,
    drawn,
    full,
    limited,
    refilled,
    wait_of,
)
from tidings.store.driver import StoreDriver

BACKOFF_FIRST, BACKOFF_MAX = 1.0, 60.0
LAPSE_SECONDS = 1.0
"""After so long what was drawn and not used is lost, so that nobody asks by what was drawn long ago."""
KIND = "purse"


class Budget:
    """The token bucket of one account, which is kept in the store: who reads draws a portion, and looks before each
    read whether anybody was told to wait."""

    def __init__(self, account: str, rate: Rate, ports: Ports, store: StoreDriver) -> None:
        self._account = f"account/{account}"  # no name of a scope
        self._rate = rate
        self._ports = ports
        self._store = store
        self._drawing = asyncio.Lock()
        self._left: Counter[Priority] = Counter()
        self._size: Counter[Priority] = Counter()
        self._lapses: dict[Priority, float] = {}
        self._rest_until = 0.0
        self._seen = full(rate, self._now)

    @property
    def _now(self) -> int:
        return self._ports.clock.now_us()

    async def take(self, priority: Priority) -> None:
        """Wait until a read may be made, and count it."""
        while (wait := await self.draw(priority)) > 0:
            await self._ports.clock.sleep(wait)

    async def draw(self, priority: Priority) -> float:
        """Count a read and return 0, or return how many seconds it has to wait."""
        async with self._drawing:  # who asks meanwhile takes of the same portion
            return await self._draw(priority)

    async def _draw(self, priority: Priority) -> float:
        own = self._rest_until - self._ports.clock.monotonic()
        if own > 0:
            return own
        purse = await self.look()
        if purse.rest_until > purse.at:
            self._left.clear()
        elif self._ports.clock.monotonic() >= self._lapses.get(priority, 0.0):
            self._left[priority] = self._size[priority] = 0
        elif self._left[priority] > 0:
            self._left[priority] -= 1
            return 0.0
        wait = wait_of(purse, self._rate, priority)
        return wait / SECOND if wait else await self._portion(priority)

    async def _portion(self, priority: Priority) -> float:
        async with self._store.unit() as unit:
            await unit.hold(self._account)
            kept = await unit.noted(self._account, KIND, [THERE])
            purse = self._as_of_now(kept.get(THERE))
            if wait := wait_of(purse, self._rate, priority):  # somebody else has drawn meanwhile
                return wait / SECOND
            # Who asks seldom draws one at a time, and leaves the others to those who ask more.
            self._size[priority] = max(1, 2 * self._size[priority])
            self._seen, count = drawn(purse, self._rate, priority, most=self._size[priority])
            await unit.note(self._account, KIND, {THERE: msgspec.json.encode(self._seen)})
        self._left[priority] = self._size[priority] = count
        self._left[priority] -= 1
        self._lapses[priority] = self._ports.clock.monotonic() + LAPSE_SECONDS
        return 0.0

    async def limit(self, seconds: float | None, tries: int) -> float:
        """Have nobody ask anything for so long, in any process, as the provider has said; None: it did not say for how
        long. Return for how long."""
        wait = min(self._backoff(tries) if seconds is None else max(seconds, 0.0), REST_MAX / SECOND)
        async with self._store.unit() as unit:
            await unit.hold(self._account)
            kept = await unit.noted(self._account, KIND, [THERE])
            self._seen = limited(self._as_of_now(kept.get(THERE)), wait)
            await unit.note(self._account, KIND, {THERE: msgspec.json.encode(self._seen)})
        return wait

    def fail(self, tries: int) -> float:
        """Ask nothing for a while in this process, which could not read: others may. Return for how long."""
        wait = self._backoff(tries)
        self._rest_until = max(self._rest_until, self._ports.clock.monotonic() + wait)
        return wait

    async def look(self) -> Purse:
        """Return what may be asked now."""
        rows = await self._store.notes_between(self._account, KIND, limit=1)
        self._seen = self._as_of_now(rows[0][1] if rows else None)
        return self._seen

    def tokens(self, priority: Priority) -> float:
        """Return how many reads of this priority could be made at once when this process has looked last."""
        return above(self._seen, self._rate, priority)

    @property
    def paused(self) -> float:
        """For how many seconds nothing is asked any more, whoever wants to, as this process has seen last."""
        own = self._rest_until - self._ports.clock.monotonic()
        return max(0.0, own, (self._seen.rest_until - self._now) / SECOND)

    def _as_of_now(self, kept: bytes | None) -> Purse:
        now = self._now
        purse = full(self._rate, now) if kept is None else msgspec.json.decode(kept, type=Purse)
        return refilled(purse, self._rate, now)

    def _backoff(self, tries: int) -> float:
        most: float = min(BACKOFF_FIRST * 2 ** min(tries, 10), BACKOFF_MAX)
        return self._ports.random.random() * most
