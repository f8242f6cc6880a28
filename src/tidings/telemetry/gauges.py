"""What is looked up when somebody asks for metrics: how far everything has come, and what waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tidings.log.log import Log
from tidings.operations.lag import ConsumerLag, lag
from tidings.ports import Clock
from tidings.services.service import Service
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Backlog
from tidings.store.endpoints import STATES, EndpointRecord
from tidings.store.host import Host
from tidings.store.letters import DeadOf
from tidings.store.parking import Parked
from tidings.store.staging import Waiting
from tidings.telemetry import table
from tidings.telemetry.series import Gauge
from tidings.views.declaration import consumer_name

LOOK_SECONDS = 2.0
COUNTED = 10_000
ENDPOINTS_MAX = 1_000
_NOTHING = Waiting(envelopes=0, age=0)


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stood at one look. `head`, `lags`, `waiting`: None if log or store did not answer.

    `hole_seconds`: as of `tidings.store.host.Host`, once the log had been looked at.
    """

    log_answers: bool
    store_answers: bool
    head: int | None = None
    hole_seconds: float = 0.0
    lags: Sequence[ConsumerLag] | None = None
    parked: Sequence[Parked] = ()
    views: Sequence[tuple[str, int]] = ()
    waiting: Waiting | None = None
    endpoints: Sequence[tuple[EndpointRecord, Backlog]] = ()
    dead: DeadOf | None = None


class Gauges:
    """Looks at log and store at most once a second, however many ask, and counts no lag and no outbox beyond 10,000."""

    def __init__(self, log: Log, store: StoreDriver, host: Host, *, clock: Clock, services: Sequence[Service]) -> None:
        self._log = log
        self._store = store
        self._host = host
        self._clock = clock
        self._services = services
        self._looking = asyncio.Lock()
        self._looked = float("-inf")
        self._found: Standing | None = None

    async def look(self) -> Sequence[Gauge]:
        """Return the gauges of a look that is at most a second old. What does not answer is left out."""
        async with self._looking:
            now = self._clock.monotonic()
            if self._found is None or now - self._looked >= 1.0:
                self._found = await self._look()
                self._looked = now
        now_us = self._clock.now_us()
        return [*self._always(self._found), *_of_consumers(self._found, now_us), *_of_endpoints(self._found, now_us)]

    async def _look(self) -> Standing:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                head = (await self._log.head()).position
        except Exception:
            return Standing(log_answers=False, store_answers=await self._store_answers())
        hole_seconds = self._host.hole_seconds
        if not await self._store_answers():
            return Standing(True, False, head, hole_seconds)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                lags = await lag(self._log, self._store, self._clock, self._services)
                head = max((each.head for each in lags), default=head)  # none of them stands beyond that one
                parked, views = await self._store.parked(), await self._views(lags, head)
                waiting, endpoints = await self._waiting(), await self._endpoints()
                dead = await self._store.count_letters_of()
                return Standing(True, True, head, hole_seconds, lags, parked, views, waiting, endpoints, dead)
        except Exception:
            return Standing(True, True, head, hole_seconds)

    async def _store_answers(self) -> bool:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._store.consumers()
        except Exception:
            return False
        return True

    async def _waiting(self) -> Waiting:
        facts = self._store.facts
        if facts.shares_transaction_with_log and not facts.takes_staged:
            return _NOTHING  # units append what they emit themselves, and nobody else can stage
        return await self._store.waiting(most=COUNTED)

    async def _endpoints(self) -> list[tuple[EndpointRecord, Backlog]]:
        found = await self._store.endpoints(limit=ENDPOINTS_MAX)
        backlogs = await self._store.backlogs(found[0].id, found[-1].id) if found else {}
        return [(each, backlogs.get(each.id, Backlog())) for each in found]

    async def _views(self, lags: Sequence[ConsumerLag], head: int) -> list[tuple[str, int]]:
        """Return where each view's current table stands that folds make; appends fold inline ones, so at the head."""
        at = {each.name: each.checkpoint for each in lags}
        found = []
        for record in await self._store.views():
            name = consumer_name(record.table)
            if record.state == "current" and name in at:
                position = head if record.mode == "inline" else at[name]
                found.append((f"{record.table.service}.{record.table.view}", position or 0))
        return found

    def _always(self, found: Standing) -> Iterator[Gauge]:
        yield Gauge(table.LOG_CONNECTED, [((), found.log_answers)])
        yield Gauge(table.STORE_CONNECTED, [((), found.store_answers)])
        yield Gauge(table.QUEUE_BYTES, [((), self._log.queued_bytes)])
        yield Gauge(table.HOLE_SECONDS, [((), found.hole_seconds)] if found.log_answers else [])
        waiting = found.waiting
        yield Gauge(table.OUTBOX, [] if waiting is None else [((), waiting.envelopes)])
        yield Gauge(table.OUTBOX_SECONDS, [] if waiting is None else [((), waiting.age / 1_000_000)])
        dead = found.dead
        yield Gauge(table.DEAD_CALLS, [] if dead is None else _each(dead.services))
        yield Gauge(table.DEAD_RECEIPTS, [] if dead is None else _each(dead.receivers))
        yield Gauge(table.LOG_HEAD, [] if found.head is None else [((), found.head)])


def _each(counts: Mapping[str, int]) -> list[tuple[tuple[str, ...], float]]:
    return [((of,), count) for of, count in counts.items()]


def _of_consumers(found: Standing, now_us: int) -> Iterator[Gauge]:
    lags = [each for each in found.lags or () if each.state != "replaced" or each.parked]
    parts = [(each, part) for each in lags for part in each.partitions]
    oldest: dict[str, int] = {}
    for parked in found.parked:
        oldest[parked.consumer] = min(parked.parked_at, oldest.get(parked.consumer, parked.parked_at))
    yield Gauge(table.DEAD_LETTERS, [((each.name,), each.dead_letters) for each in lags])
    yield Gauge(table.PARKED, [((each.name,), each.parked) for each in lags])
    yield Gauge(
        table.PARKED_SECONDS,
        [((each.name,), max(0, now_us - oldest.get(each.name, now_us)) / 1_000_000) for each in lags],
    )
    yield Gauge(table.RETRYING, [((each.name,), each.retrying) for each in lags])
    yield Gauge(table.LAG_ENTRIES, [((each.name, str(part.part)), part.entries) for each, part in parts])
    yield Gauge(table.LAG_SECONDS, [((each.name, str(part.part)), part.seconds) for each, part in parts])
    yield Gauge(table.VIEW_POSITION, [((view,), position) for view, position in found.views])


def _of_endpoints(found: Standing, now_us: int) -> Iterator[Gauge]:
    there = found.endpoints
    states = [((of.id, state), of.condition.state == state) for of, _ in there for state in STATES]
    yield Gauge(table.ENDPOINT_STATE, states)
    yield Gauge(table.ENDPOINT_PENDING, [((of.id,), backlog.pending) for of, backlog in there])
    yield Gauge(table.ENDPOINT_HELD, [((of.id,), backlog.held) for of, backlog in there])
    yield Gauge(table.ENDPOINT_DEAD, [((of.id,), backlog.dead) for of, backlog in there])
    ages = [((of.id,), max(0, now_us - (backlog.oldest or now_us)) / 1_000_000) for of, backlog in there]
    yield Gauge(table.ENDPOINT_SECONDS, ages)
