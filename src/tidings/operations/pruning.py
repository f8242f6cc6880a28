"""What is kept for a while only, removed when the while is over: little by little, beside everything else."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from tidings.ports import Clock
from tidings.store.driver import StoreDriver

CHUNK = 1_000
ANSWERS_DAYS = 7
EVERY_SECONDS = 3_600
_DAY_US = 86_400_000_000
_log = logging.getLogger("tidings.pruning")


async def prune(store: StoreDriver, clock: Clock, stopping: asyncio.Event) -> int:
    """Remove answers to requests under keys that are older than `ANSWERS_DAYS`; return how many there were.

    Each chunk is a transaction of its own, so whoever writes waits for one chunk at most.
    """
    before = clock.now_us() - ANSWERS_DAYS * _DAY_US
    removed, last = 0, CHUNK
    while last == CHUNK and not stopping.is_set():
        last = await store.forget_answers(before=before, limit=CHUNK)
        removed += last
    return removed


class Pruner:
    """Prunes now and then, for as long as the application is open."""

    name = "pruning"

    def __init__(self, store: StoreDriver, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self, stopping: asyncio.Event) -> None:
        """See `tidings.app.crew.Runner`."""
        while not stopping.is_set():
            removed = await prune(self._store, self._clock, stopping)
            if removed:
                _log.info("removed %d answers that were kept for %d days", removed, ANSWERS_DAYS)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), EVERY_SECONDS)
