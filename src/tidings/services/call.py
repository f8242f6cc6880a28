"""One call to the outside: its payload read, its function awaited, its result written down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tidings.consumers.faults import PASSING, called
from tidings.consumers.retry import call_reason, died_reason
from tidings.errors import CheckpointMovedError, NotFoundError
from tidings.log.flush import retry_delay
from tidings.ports import Ports
from tidings.services.delivery import Delivery
from tidings.services.functions import Function
from tidings.store.deliveries import ClaimedDelivery
from tidings.store.driver import StoreDriver
from tidings.store.ladder import TRIES
from tidings.store.reason import Reason
from tidings.wording import counted

CALL_SECONDS = 30.0
WRITES = 12
_log = logging.getLogger("tidings.services")


class Call:
    """Makes calls whose attempt is counted already, outside of any transaction."""

    def __init__(
        self,
        functions: Mapping[str, Mapping[str, Function]],
        *,
        store: StoreDriver,
        ports: Ports,
        seconds: float = CALL_SECONDS,
    ) -> None:
        self._functions = functions
        self._read: dict[tuple[str, str], Callable[[bytes], Any]] = {
            (service, name): function.decoder()
            for service, declared in functions.items()
            for name, function in declared.items()
        }
        self._store = store
        self._ports = ports
        self._seconds = seconds

    async def make(self, claimed: ClaimedDelivery) -> None:
        """Call the function and write the result under the claim's epoch, unless somebody else has it by now.

        A call that has ended its process in as many attempts as there are is not made again: it is dead.
        """
        if claimed.died >= TRIES:
            await self._settle(claimed, died_reason(TRIES, then="correct the function, then retry the delivery"))
            return
        reason: Reason | None = None
        try:
            await called(self._made(claimed))
        except Exception as error:
            ports = self._ports
            draw, now = ports.random.random(), ports.clock.now_us()
            reason = call_reason(error, attempt=claimed.failed + 1, now=now, draw=draw)
        self._ports.points.at("delivery:answered")
        await self._settle(claimed, reason)

    async def _made(self, claimed: ClaimedDelivery) -> None:
        given = claimed.delivery
        function = self._functions.get(given.service, {}).get(given.function)
        if function is None:
            raise NotFoundError(
                "function", given.function, of=given.service, hint="run a release that declares this delivery"
            )
        payload = self._read[given.service, given.function](given.payload)
        told = Delivery(
            idempotency_key=given.key,
            attempt=claimed.attempt,
            service=given.service,
            function=given.function,
            order=given.order,
        )
        self._ports.points.at("delivery:calling")
        await self._timed(function.call(payload, told))

    async def _timed(self, call: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._seconds) as limit:
                await call
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(f"it took longer than {self._seconds:g} s and was cancelled") from error

    async def _settle(self, claimed: ClaimedDelivery, reason: Reason | None) -> None:
        """Write the result; if the store stays out of reach, the lease ends and the call is made again."""
        for attempt in range(1, WRITES + 1):
            try:
                await self._store.settle_delivery(claimed, reason)
            except CheckpointMovedError:
                return
            except PASSING:
                await self._ports.clock.sleep(retry_delay(attempt, self._ports.random))
            else:
                self._ports.points.at("delivery:result-written")
                _tell(claimed, reason)
                return


def _tell(claimed: ClaimedDelivery, reason: Reason | None) -> None:
    if reason is not None and reason.next_at is None:
        given = claimed.delivery
        why = "the delivery %s of %s is dead after %s of this round, and is not called again until it is retried: %s"
        said = {"service": given.service, "handler": given.function, "attempt": claimed.attempt, "outcome": "dead"}
        tried, function = counted(claimed.attempt, "attempt"), f"{given.service}.{given.function}"
        _log.error(why, given.key, function, tried, reason.error, extra=said)
