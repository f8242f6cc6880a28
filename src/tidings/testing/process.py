"""What carries entries and makes calls, one step after the other, until nothing is left to do."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tidings.app import Opened
from tidings.app.tables import Carrying
from tidings.events.envelope import Entry
from tidings.ports import this_process
from tidings.services.call import Call
from tidings.services.handlers import Handlers

CALLS = 100
STEPS = 500
_LEASE = timedelta(seconds=60)


def _check_rest(steps: int) -> None:
    if steps > STEPS:
        raise AssertionError(f"the application does not come to rest: after {STEPS} pages there are still more events")


class Process:
    """One process over an opened application. To let it die, forget it: what it holds is free for number + 1.

    The consumers and calls are those of production; only the loops around them are not, because they wait.
    """

    def __init__(self, opened: Opened, number: int) -> None:
        boot = this_process().partition(":")[0]
        # A process of this machine that is gone already, to everybody but itself: its leases are not waited for.
        self._owner = f"{boot}:0:{number}"
        self._opened = opened
        self._stopping = asyncio.Event()
        self._ports = opened.ports
        self._store = opened.store
        self._handlers = [
            Handlers(opened.resources[service.name], service.handlers)
            for service in opened.services
            if service.handlers
        ]
        self._carrying = Carrying(
            opened.views,
            self._handlers,
            log=opened.log,
            store=opened.store,
            ports=opened.ports,
            owner=self._owner,
        )
        self._call = Call(opened.functions, store=opened.store, ports=opened.ports)

    async def settle(self) -> None:
        """Carry all there is to all consumers, and what follows from it, until nothing more follows."""
        consumers, steps = (await self._carrying.consumers()).values(), 0
        has_moved = True
        while has_moved:
            has_moved = False
            for consumer in consumers:
                while await consumer.step(self._stopping) is None:
                    has_moved, steps = True, steps + 1
                    _check_rest(steps)
        for consumer in consumers:
            await consumer.release()  # lest a lease run out while time is moved

    async def call(self) -> int:
        """Make the calls that are due, one after the other; return how many."""
        services = [service.name for service in self._opened.services if service.functions]
        claimed = await self._store.claim_deliveries(owner=self._owner, services=services, limit=CALLS, ttl=_LEASE)
        if claimed:
            self._ports.points.at("delivery:attempt-counted")
        for each in claimed:
            await self._call.make(each)
        return len(claimed)

    async def handle_again(self, entry: Entry) -> None:
        """Call the handlers of an entry that were called already, each service in a transaction of its own."""
        for handlers in self._handlers:
            if entry.envelope.type in handlers.types:
                async with self._store.unit() as unit:
                    await handlers.apply(unit, [entry])
