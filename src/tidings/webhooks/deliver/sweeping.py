"""What is put right now and then: what time or a crash left, and what another release could not tell in its version."""

from __future__ import annotations

from datetime import timedelta

from tidings.consumers.rounds import LOOK_SECONDS
from tidings.log.log import Log
from tidings.ports import Clock
from tidings.store.driver import StoreDriver
from tidings.webhooks.deliver.pinning import Lineages, is_told

SWEEP_SECONDS = 60.0
STALE = timedelta(days=30)
CHUNK = 1_000


class Sweeping:
    """Sweeps at the first look and every minute, and again with the next look while a sweep left something to do."""

    def __init__(self, lineages: Lineages, *, log: Log, store: StoreDriver, clock: Clock) -> None:
        self._lineages = lineages
        self._log = log
        self._store = store
        self._clock = clock
        self._swept_to = 0
        self._read_to = 0
        self._next_sweep = self._next_arranging = float("-inf")

    async def look(self) -> bool:
        """Do what is due of it; say whether there is more."""
        now = self._clock.monotonic()
        is_more = False
        if now >= self._next_arranging:
            is_more = await self._store.arrange_endpoint_deliveries(limit=CHUNK) >= CHUNK
            self._next_arranging = now if is_more else now + LOOK_SECONDS
        if now >= self._next_sweep:
            is_left = bool(await self._store.endpoints(limit=1)) and await self._sweep()
            self._next_sweep = now if is_left else now + SWEEP_SECONDS
            is_more = is_more or is_left
        return is_more

    async def _sweep(self) -> bool:
        swept = await self._store.sweep_endpoint_deliveries(stale=STALE, after=self._swept_to, limit=CHUNK)
        self._swept_to = swept.last
        await self._release()
        changed = max(swept.lost, swept.expired, swept.stale)
        return changed >= CHUNK or self._swept_to > 0 or self._read_to > 0

    async def _release(self) -> None:
        """Let a page go on of what was held for want of a step, as far as this process has that step."""
        held = await self._store.unreadable(after=self._read_to, limit=CHUNK)
        entries = {each.position: each for each in await self._log.at(sorted({one.delivery.position for one in held}))}
        told = [
            each.n
            for each in held
            if each.delivery.position not in entries
            or is_told(each.delivery, entries[each.delivery.position], self._lineages)
        ]
        if told:
            await self._store.release_unreadable(told, at=self._clock.now_us())
        self._read_to = held[-1].n if len(held) == CHUNK else 0
