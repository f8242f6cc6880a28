"""What is kept for a while only, removed when the while is over: little by little, beside everything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from tidings.ports import Clock
from tidings.reconciliation.kept.forgetting import forget_runs
from tidings.store.driver import StoreDriver

CHUNK = 1_000
ANSWERS_DAYS = 7
EVERY_SECONDS = 3_600
ATTEMPTS_DAYS = 7
ATTEMPTS_KEPT = 200_000
DELIVERIES_DAYS = 30
BODIES_DAYS = 7
RUNS_DAYS = 90
_DAY_US = 86_400_000_000
_log = logging.getLogger("tidings.pruning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many of each were removed."""

    answers: int
    attempts: int
    deliveries: int
    bodies: int = 0
    receipts: int = 0
    runs: int = 0


async def prune(store: StoreDriver, clock: Clock, stopping: asyncio.Event) -> Pruned:
    """Remove answers to requests under keys that are older than `ANSWERS_DAYS`, tries of deliveries that closed more
    than `ATTEMPTS_DAYS` ago or that more than `ATTEMPTS_KEPT` newer ones follow, and deliveries that were delivered,
    expired or cancelled more than `DELIVERIES_DAYS` ago; and bodies of webhooks that are older than `BODIES_DAYS`, and
    receipts whose repeats need not be known any more; and runs of reconciliation that began more than `RUNS_DAYS` ago,
    with what they found. Return how many there were, of runs and findings together.

    Each chunk is a transaction of its own, so whoever writes waits for one chunk at most.
    """
    now = clock.now_us()

    async def answers() -> int:
        return await store.forget_answers(before=now - ANSWERS_DAYS * _DAY_US, limit=CHUNK)

    async def attempts() -> int:
        closed = now - ATTEMPTS_DAYS * _DAY_US
        return await store.forget_attempts(closed=closed, keep=ATTEMPTS_KEPT, limit=CHUNK)

    async def deliveries() -> int:
        return await store.forget_deliveries(closed=now - DELIVERIES_DAYS * _DAY_US, limit=CHUNK)

    async def bodies() -> int:
        return await store.forget_bodies(before=now - BODIES_DAYS * _DAY_US, limit=CHUNK)

    async def receipts() -> int:
        return await store.forget_receipts(now=now, limit=CHUNK)

    async def runs(scope: str) -> int:
        return await forget_runs(store, scope, before=now - RUNS_DAYS * _DAY_US, limit=CHUNK)

    scopes = await store.scopes()
    return Pruned(
        answers=await _all(answers, stopping),
        attempts=await _all(attempts, stopping),
        deliveries=await _all(deliveries, stopping),
        bodies=await _all(bodies, stopping),
        receipts=await _all(receipts, stopping),
        runs=sum([await _all(partial(runs, scope), stopping) for scope in scopes]),
    )


async def _all(chunk: Callable[[], Awaitable[int]], stopping: asyncio.Event) -> int:
    removed, last = 0, CHUNK
    while last == CHUNK and not stopping.is_set():
        last = await chunk()
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
            if removed.answers:
                _log.info("removed %d answers that were kept for %d days", removed.answers, ANSWERS_DAYS)
            if removed.attempts:
                _log.info("removed %d old tries of deliveries", removed.attempts)
            if removed.deliveries:
                _log.info("removed %d deliveries that closed %d days ago", removed.deliveries, DELIVERIES_DAYS)
            if removed.bodies or removed.receipts:
                _log.info("removed %d bodies of webhooks, and %d old receipts", removed.bodies, removed.receipts)
            if removed.runs:
                _log.info("removed %d old runs of reconciliation and findings", removed.runs)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), EVERY_SECONDS)
