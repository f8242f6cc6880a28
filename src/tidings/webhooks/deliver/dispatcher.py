"""Sends what endpoints are owed: claimed in turns, several at once, each result written under its claim."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from tidings.consumers.faults import PASSING
from tidings.consumers.rounds import LOOK_SECONDS, Rounds
from tidings.events.envelope import Entry
from tidings.log.driver import Position
from tidings.log.flush import retry_delay
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Claiming, EndpointClaim
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
        self._attempting = Attempting(manner, self._posting, Results(store, ports), ports, on_our_fault=self._put_off)
        self._sweeping = Sweeping(manner.lineages, log=log, store=store, clock=ports.clock)
        self._rounds = Rounds(self.name, self._look, ports, log=_log)
        self._retries = 0  # of those that are under way
        self._is_done = False  # nothing is left that is due, but for what comes, and what waits for an end
        self._is_rested = False
        self._next_losing = float("-inf")
        self._not_before = 0

    def wake(self) -> None:
        """Have it look at once: something was added, or changed."""
        self._is_done = False
        self._rounds.wake()

    async def run(self, stopping: asyncio.Event) -> None:
        """Send until `stopping` is set; then wait for the requests under way, write their results, return."""
        self._retries = 0
        try:
            await self._rounds.run(stopping)
        finally:
            await self._posting.close()

    async def _look(self) -> float:
        """Put right what is to be put right, and begin what may be sent."""
        is_more = await self._sweeping.look()
        seconds = await self._begin_due()
        return 0.0 if is_more else seconds

    async def _begin_due(self) -> float:
        """Begin what may be sent, as far as there is room; return when to look again."""
        now = self._ports.clock.now_us()
        room = self._in_flight - len(self._rounds)
        if room <= 0 or self._not_before > now:
            return LOOK_SECONDS  # each end of a request wakes
        is_told_of, seconds = self._is_done, await self._until_due() if self._is_done else 0.0
        if seconds > 0:
            return seconds
        self._is_done = True
        claims = await self._store.claim_endpoint_deliveries(self._claiming(room), ttl=self._ttl)
        if not claims:
            return LOOK_SECONDS if is_told_of else 0.0  # others have what is due
        self._ports.points.at("delivery:attempt-counted")
        await self._begin(claims)
        return 0.0

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

    def _claiming(self, room: int) -> Claiming:
        now, late = self._ports.clock.monotonic(), max(0, self._in_flight // 2 - self._retries)
        loses = now >= self._next_losing
        if loses:
            self._next_losing = now + LOOK_SECONDS
        return Claiming(owner=self._owner, limit=room, late=late, loses=loses)

    async def _begin(self, claims: Sequence[EndpointClaim]) -> None:
        entries = await self._entries({each.delivery.position for claim in claims for each in claim.deliveries})
        for claim in claims:
            for sending in sendings_of(claim, entries):
                self._retries += sending.first.attempt > 1
                self._rounds.begin(sending.key, self._make(sending))

    async def _make(self, sending: Sending) -> None:
        try:
            await self._attempting.make(sending)
        finally:
            self._retries -= sending.first.attempt > 1
            self._is_done = False

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
