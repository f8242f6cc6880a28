"""Calls to the outside that units have intended: made after their commit, at least once, always with the same key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from tidings.consumers.rounds import LOOK_SECONDS, Rounds
from tidings.ports import Ports
from tidings.services.call import CALL_SECONDS, Call
from tidings.services.functions import Function
from tidings.store.driver import StoreDriver

CALLS = 16
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
        self._functions = functions
        self._services = tuple(functions)
        self._call = Call(functions, store=store, ports=ports, seconds=call_seconds)
        self._ttl = timedelta(seconds=call_seconds + GRACE_SECONDS)
        self._store = store
        self._ports = ports
        self._owner = owner
        self._rounds = Rounds(self.name, self._look, ports, log=_log)

    @property
    def has_work(self) -> bool:
        """Whether there is a function that it could call."""
        return any(self._functions.values())

    def wake(self) -> None:
        """Have it look at once: deliveries were intended by a unit that is about to commit, or has."""
        self._rounds.wake()

    async def run(self, stopping: asyncio.Event) -> None:
        """Call what is due until `stopping` is set; then wait for the calls under way, write their results, return."""
        await self._rounds.run(stopping)

    async def _look(self) -> float:
        """Begin the calls that are due, as far as there is room."""
        room = CALLS - len(self._rounds)
        if room == 0:
            return LOOK_SECONDS
        claimed = await self._store.claim_deliveries(
            owner=self._owner, services=self._services, limit=room, ttl=self._ttl
        )
        if claimed:
            self._ports.points.at("delivery:attempt-counted")
        for each in claimed:
            self._rounds.begin(each.delivery.key, self._call.make(each))
        return LOOK_SECONDS
