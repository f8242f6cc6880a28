"""Sends what endpoints are owed: claimed in turns, several at once, each result written under its claim."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from tidings.consumers.faults import PASSING
from tidings.consumers.rounds import LOOK_SECONDS, Rounds
from tidings.events.envelope import Entry
from tidings.log.driver import Position
from tidings.log.flush import retry_delay
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Claiming, Ending, EndpointClaim, Turned
from tidings.webhooks.deliver.attempting import Attempting, Manner
from tidings.webhooks.deliver.posting import Posting, Sends
from tidings.webhooks.deliver.results import Results
from tidings.webhooks.deliver.sendings import Sending, sendings_of
from tidings.webhooks.deliver.sweeping import Sweeping

SKEW_SECONDS = 60.0
LEASE_SECONDS = 60.0
GRACE_SECONDS = 40.0
_log = logging.getLogger("tidings.endpoints")


class Dispatcher:
    """Runs beside what carries entries; any number of processes may.

    `open_sender`: called once there is something to send.
    """

    name = "endpoint deliveries"

    def __init__(
        self,
        manner: Manner,
        open_sender: Callable[[], Sends],
        *,
        log: Log,
        store: StoreDriver,
        ports: Ports,
        owner: str,
    ) -> None:
        self._posting = Posting(open_sender)
        self._log = log
        self._store = store
        self._ports = ports
        self._owner = owner
        self._in_flight = manner.in_flight
        self._ttl = timedelta(seconds=max(LEASE_SECONDS, manner.total_s + GRACE_SECONDS))
        self._results = Results(store, ports, self._turn, on_end=self._changed)
        self._attempting = Attempting(
            manner, self._posting, self._results, ports, on_our_fault=self._put_off, on_end=self._left
        )
        self._sweeping = Sweeping(manner.lineages, log=log, store=store, clock=ports.clock)
        self._rounds = Rounds(self.name, self._look, ports, log=_log)
        self._stopping = asyncio.Event()
        self._changes = 0
        self._coming = 0  # claimed, or about to be, and not begun yet
        self._retries = 0  # of those that are under way
        self._is_done = False  # nothing is left that is due, but for what comes, and what waits for an end
        self._is_rested = False
        self._rests_until = self._next_losing = float("-inf")
        self._not_before = 0

    def wake(self) -> None:
        """Have it look at once: something was added, or changed."""
        self._is_done = False
        self._changed()

    async def run(self, stopping: asyncio.Event) -> None:
        """Send until `stopping` is set; then wait for the requests under way, write their results, return."""
        self._stopping, self._coming, self._retries = stopping, 0, 0
        self._results.begin()
        try:
            await self._rounds.run(stopping)
            await self._results.drain()
            while len(self._rounds):  # what was claimed with the last results, as the end was asked for
                await self._rounds.drain()
                await self._results.drain()
        finally:
            try:
                await self._results.end()
                await self._rounds.end()
            finally:
                await self._posting.close()

    async def _look(self) -> float:
        """Put right what is to be put right, and begin what may be sent."""
        is_more = await self._sweeping.look()
        seconds = await self._begin_due()
        return 0.0 if is_more else seconds

    async def _begin_due(self) -> float:
        """Begin what may be sent, as far as there is room; return when to look again."""
        rest = self._rests_until - self._ports.clock.monotonic()
        if rest > 0 or not self._room():
            return rest if rest > 0 else LOOK_SECONDS  # each write that ends wakes
        changes, is_told_of = self._changes, self._is_done
        seconds = await self._until_due() if is_told_of or not self._posting.is_open else 0.0
        if seconds > 0:
            if changes == self._changes:  # else it may be another time by now
                self._rests_until = self._ports.clock.monotonic() + seconds
            return seconds
        self._posting.open()  # before an attempt is counted: where nothing can be sent from, none is spent
        self._is_done = True
        with self._claiming() as claiming:
            if claiming is None:
                return LOOK_SECONDS
            claims = await self._store.claim_endpoint_deliveries(claiming, ttl=self._ttl)
            self._begin(claims)
        return LOOK_SECONDS if is_told_of and not claims else 0.0  # others have what is due

    async def _turn(self, ending: Ending) -> Turned | None:
        """Settle what has ended, and begin what may be sent in its room."""
        with self._claiming() as claiming:
            self._is_done = claiming is not None
            turned = await self._store.turn_endpoint_deliveries(ending, claiming, ttl=self._ttl)
            if turned is not None:
                self._begin(turned.claims)
        if turned is None:
            self._is_done = False
        return turned

    def _changed(self) -> None:
        """Forget when there would be something to do, and look."""
        self._changes += 1
        self._rests_until = float("-inf")
        self._rounds.wake()

    def _room(self) -> int:
        if self._stopping.is_set() or self._not_before > self._ports.clock.now_us():
            return 0
        return max(0, self._in_flight - len(self._rounds) - len(self._results) - self._coming)

    @contextmanager
    def _claiming(self) -> Iterator[Claiming | None]:
        """Return what may be claimed, None if nothing; until the block ends nobody else is given that room."""
        room, now = self._room(), self._ports.clock.monotonic()
        loses = room > 0 and now >= self._next_losing
        if loses:
            self._next_losing = now + LOOK_SECONDS
        late = max(0, self._in_flight // 2 - self._retries)
        self._coming += room
        try:
            yield Claiming(owner=self._owner, limit=room, late=late, loses=loses) if room else None
        finally:
            self._coming -= room

    async def _until_due(self) -> float:
        """Return how long to rest in seconds, 0: not at all."""
        at = await self._store.next_endpoint_delivery()
        if at is None:
            return LOOK_SECONDS
        seconds = (at - self._ports.clock.now_us()) / 1_000_000
        if seconds > (SKEW_SECONDS if self._is_rested else 0):  # the store's clock may go before ours
            self._is_rested = True
            return min(LOOK_SECONDS, seconds)
        self._is_rested = False
        return 0.0

    def _begin(self, claims: Sequence[EndpointClaim]) -> None:
        if claims:
            self._ports.points.at("delivery:attempt-counted")
            self._coming += _count(claims)
            self._rounds.begin(claims[0].deliveries[0].delivery.key, self._send(claims))

    async def _send(self, claims: Sequence[EndpointClaim]) -> None:
        try:
            entries = await self._entries({each.delivery.position for claim in claims for each in claim.deliveries})
        finally:
            self._coming -= _count(claims)
        for claim in claims:
            for sending in sendings_of(claim, entries):
                self._rounds.enter()
                self._retries += sending.first.attempt > 1
                self._attempting.make(sending)

    def _left(self, sending: Sending, error: Exception | None) -> None:
        self._rounds.leave()
        self._retries -= sending.first.attempt > 1
        if error is not None:
            self._rounds.lost(sending.key, error)

    async def _entries(self, positions: set[Position]) -> dict[Position, Entry]:
        """Return what is to be sent; a log that is out of reach is waited for as long as the leases last."""
        until, attempt = self._ports.clock.monotonic() + self._ttl.total_seconds() / 2, 0
        while True:
            try:
                return {entry.position: entry for entry in await self._log.at(sorted(positions))}
            except PASSING:
                attempt += 1
                if self._ports.clock.monotonic() >= until:
                    raise
                await self._ports.clock.sleep(retry_delay(attempt, self._ports.random))

    def _put_off(self, until: int) -> None:
        if self._not_before < self._ports.clock.now_us():
            _log.error("the proxy of webhooks fails: nothing is sent until it may be tried again")
        self._not_before = max(self._not_before, until)


def _count(claims: Sequence[EndpointClaim]) -> int:
    return sum(len(claim.deliveries) for claim in claims)
