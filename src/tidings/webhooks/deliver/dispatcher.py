"""Sends what endpoints are owed: claimed in turns, several at once, each result written under its claim."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from tidings.consumers.faults import PASSING
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

LOOK_SECONDS = 1.0
SKEW_SECONDS = 60.0
LEASE_SECONDS = 60.0
GRACE_SECONDS = 40.0
SWEEP_SECONDS = 60.0
STALE = timedelta(days=30)
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
        self._woken = asyncio.Event()
        self._sendings: dict[asyncio.Task[None], Sending] = {}
        self._failures = 0
        self._is_rested = False
        self._not_before = 0
        self._swept_to = 0
        self._next_sweep = float("-inf")

    def wake(self) -> None:
        """Have it look at once: something was added, or changed."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Send until `stopping` is set; then wait for the requests under way, write their results, return.

        Cancelling ends the requests under way; they are made again once their leases end.
        """
        stopped = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                self._woken.clear()  # before it looks, so that no wake-up is lost between an empty look and the rest
                seconds = await self._turn()
                if seconds > 0:
                    await self._rest(stopped, seconds)
            if self._sendings:
                await asyncio.wait(self._sendings)
        finally:
            for task in (stopped, *self._sendings):
                task.cancel()
            await asyncio.gather(stopped, *self._sendings, return_exceptions=True)
            await self._posting.close()

    async def _turn(self) -> float:
        """Begin what may be sent, as far as there is room; return when to look again, in seconds, 0: at once."""
        try:
            seconds = await self._look()
        except PASSING as error:
            if self._failures == 0:  # one line for a row of failures
                _log.warning("%s tries again: %s", self.name, error)
            self._failures = min(self._failures + 1, 32)
            return retry_delay(self._failures, self._ports.random)
        self._failures = 0
        return seconds

    async def _look(self) -> float:
        await self._sweep()
        now = self._ports.clock.now_us()
        room = self._in_flight - len(self._sendings)
        if room <= 0 or self._not_before > now:
            return LOOK_SECONDS  # each end of a request wakes
        at = await self._store.next_endpoint_delivery()
        if at is None:
            return LOOK_SECONDS
        seconds = (at - self._ports.clock.now_us()) / 1_000_000
        if seconds > (SKEW_SECONDS if self._is_rested else 0):  # the store's clock may go before ours
            self._is_rested = True
            return min(LOOK_SECONDS, seconds)
        self._is_rested = False
        late = max(0, self._in_flight // 2 - sum(each.first.attempt > 1 for each in self._sendings.values()))
        claiming = Claiming(owner=self._owner, limit=room, late=late)
        claims = await self._store.claim_endpoint_deliveries(claiming, ttl=self._ttl)
        if not claims:
            return LOOK_SECONDS  # others have it, or it waits for room that the end of a request makes
        self._ports.points.at("delivery:attempt-counted")
        await self._begin(claims)
        return 0.0

    async def _begin(self, claims: Sequence[EndpointClaim]) -> None:
        entries = await self._entries({each.delivery.position for claim in claims for each in claim.deliveries})
        for claim in claims:
            for sending in sendings_of(claim, entries):
                task = asyncio.create_task(self._attempting.make(sending), name=sending.key)
                self._sendings[task] = sending
                task.add_done_callback(self._ended)

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

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._sendings[task]
        if not task.cancelled() and task.exception() is not None:
            why = "the result of delivery %s was not written, so it is sent again once its lease ends"
            _log.error(why, task.get_name(), exc_info=task.exception())
        self._woken.set()

    def _put_off(self, until: int) -> None:
        if self._not_before < self._ports.clock.now_us():
            _log.error("the proxy of webhooks fails: nothing is sent until it may be tried again")
        self._not_before = max(self._not_before, until)

    async def _sweep(self) -> None:
        """Put right, now and then, what time or a crash left."""
        now = self._ports.clock.monotonic()
        if now < self._next_sweep:
            return
        self._next_sweep = now + SWEEP_SECONDS
        if not await self._store.endpoints(limit=1):
            return
        swept = await self._store.sweep_endpoint_deliveries(stale=STALE, after=self._swept_to)
        self._swept_to = swept.last

    async def _rest(self, stopped: asyncio.Task[bool], seconds: float) -> None:
        woken = asyncio.create_task(self._woken.wait())
        rested = asyncio.create_task(self._ports.clock.sleep(seconds))
        waiting: list[asyncio.Task[bool] | asyncio.Task[None]] = [woken, rested]
        try:
            await asyncio.wait((stopped, *waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
