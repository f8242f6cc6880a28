"""Calls to the outside that units have intended: made after their commit, at least once, always with the same key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from tidings.consumers.faults import PASSING
from tidings.log.flush import retry_delay
from tidings.ports import Ports
from tidings.services.call import CALL_SECONDS, Call
from tidings.services.functions import Function
from tidings.store.deliveries import ClaimedDelivery
from tidings.store.driver import StoreDriver

CALLS = 16
LOOK_SECONDS = 1.0
GRACE_SECONDS = 30.0
_log = logging.getLogger("tidings.services")


class Deliverer:
    """Calls the declared functions of services. `functions`: by service, then by name.

    Several calls are on their way at once; those of one order value come one after the other. `call_seconds`: a call
    that takes longer is cancelled, and has failed.
    """

    name = "deliveries"

    def __init__(
        self,
        functions: Mapping[str, Mapping[str, Function]],
        *,
        store: StoreDriver,
        ports: Ports,
        owner: str,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self._services = tuple(functions)
        self._call = Call(functions, store=store, ports=ports, seconds=call_seconds)
        self._ttl = timedelta(seconds=call_seconds + GRACE_SECONDS)
        self._store = store
        self._ports = ports
        self._owner = owner
        self._woken = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        self._failures = 0

    def wake(self) -> None:
        """Have it look at once: deliveries were intended by a unit that is about to commit, or has."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Call what is due until `stopping` is set; then wait for the calls under way, write their results, return.

        Cancelling ends the calls under way; they are made again once their leases end.
        """
        stopped = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                self._woken.clear()
                seconds = await self._claim()
                await self._rest(stopped, seconds)
            if self._calls:
                await asyncio.wait(self._calls)
        finally:
            for task in (stopped, *self._calls):
                task.cancel()
            await asyncio.gather(stopped, *self._calls, return_exceptions=True)

    async def _claim(self) -> float:
        """Begin the calls that are due, as far as there is room; return when to look again, in seconds."""
        room = CALLS - len(self._calls)
        if room == 0:
            return LOOK_SECONDS
        try:
            claimed = await self._store.claim_deliveries(
                owner=self._owner, services=self._services, limit=room, ttl=self._ttl
            )
        except PASSING:
            self._failures = min(self._failures + 1, 32)
            return retry_delay(self._failures, self._ports.random)
        self._failures = 0
        if claimed:
            self._ports.points.at("delivery:attempt-counted")
        for each in claimed:
            self._begin(each)
        return LOOK_SECONDS

    def _begin(self, claimed: ClaimedDelivery) -> None:
        task = asyncio.create_task(self._call.make(claimed), name=claimed.delivery.key)
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        if not task.cancelled() and task.exception() is not None:
            why = "the result of delivery %s was not written, so it is called again once its lease ends"
            _log.error(why, task.get_name(), exc_info=task.exception())
        self._woken.set()  # there is room again, and the next one of its order is due

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
