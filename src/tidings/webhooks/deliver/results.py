"""Writes what became of attempts: those that end together in one transaction, with what is told of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from tidings.consumers.faults import PASSING
from tidings.errors import CheckpointMovedError
from tidings.log.flush import retry_delay
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, Decide, Ending, Settled, Turned
from tidings.webhooks.deliver.sendings import Sending
from tidings.webhooks.deliver.telling import events_about, is_told, tell, word_of
from tidings.webhooks.gathering import gathered

TOGETHER = 128
WRITES = 12
_log = logging.getLogger("tidings.endpoints")


class _Ended(msgspec.Struct, frozen=True, eq=False, gc=False):
    sending: Sending
    claimed: Sequence[ClaimedEndpointDelivery]
    decide: Decide


class Results:
    """Takes results one by one and writes them in the order in which they came: nobody waits for more than one commit.

    `turn`: settles them and takes what is due in their room; None: something is told of them, so that it takes a unit.
    `on_end`: called each time a write has ended, kept or not: there may be something to send.
    """

    def __init__(
        self,
        store: StoreDriver,
        ports: Ports,
        turn: Callable[[Ending], Awaitable[Turned | None]],
        *,
        on_end: Callable[[], None],
    ) -> None:
        self._store = store
        self._ports = ports
        self._turn = turn
        self._on_end = on_end
        self._waiting: list[_Ended] = []
        self._writing: asyncio.Task[None] | None = None
        self._has_ended = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(
        self, sending: Sending, decide: Decide, *, claimed: Sequence[ClaimedEndpointDelivery] | None = None
    ) -> None:
        """Have the result written. `claimed`: those that it is of; None: all."""
        if self._has_ended:
            return
        self._waiting.append(_Ended(sending, sending.claimed if claimed is None else claimed, decide))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name="results of endpoint deliveries")

    async def drain(self) -> None:
        """Come back once everything is written that waits."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])

    def begin(self) -> None:
        """Take results, also after an end."""
        self._has_ended = False

    async def end(self) -> None:
        """Write nothing more: what waits is sent again once its leases end."""
        self._has_ended = True
        self._waiting.clear()
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write_all(self) -> None:
        while self._waiting:
            await gathered()  # the answers to what was sent together come together, too
            taken, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
            try:
                await self._write(taken)
            except Exception as error:
                for each in taken:
                    why = "the result of delivery %s was not written, so it is made again once its lease ends"
                    _log.error(why, each.sending.key, exc_info=error)
            finally:
                self._on_end()

    async def _write(self, taken: Sequence[_Ended]) -> None:
        try:
            await self._patiently(taken)
        except CheckpointMovedError:
            for each in taken if len(taken) > 1 else ():
                await self._write([each])  # a stale owner changes nothing: whoever has it now writes its result

    async def _patiently(self, taken: Sequence[_Ended]) -> None:
        """Write, and again if the store is out of reach; if it stays so, the leases end and all is sent again."""
        for attempt in range(1, WRITES + 1):
            try:
                settled = await self._once(taken)
            except PASSING:
                if attempt == WRITES:
                    raise
                await self._ports.clock.sleep(retry_delay(attempt, self._ports.random))
            else:
                self._ports.points.at("delivery:result-written")
                self._tell(taken, settled)
                return

    async def _once(self, taken: Sequence[_Ended]) -> Sequence[Settled]:
        ended = [(each.claimed, each.decide) for each in taken]
        turned = await self._turn(Ending(ended, partial(_are_told, taken)))
        if turned is not None:
            return turned.settled
        async with self._store.unit() as unit:
            settled = await unit.settle_each(ended)
            for each, so in zip(taken, settled, strict=True):
                events = events_about(each.sending, so, self._ports)
                if events:
                    unit.emit(events)
        return settled

    def _tell(self, taken: Sequence[_Ended], settled: Sequence[Settled]) -> None:
        counts: dict[tuple[str, str], int] = {}
        for each, so in zip(taken, settled, strict=True):
            about = so.after.id, word_of(so.result)
            counts[about] = counts.get(about, 0) + len(each.claimed)
            tell(each.sending, so)
        for (endpoint, outcome), count in counts.items():
            self._ports.observer.sent(endpoint, outcome, count)


def _are_told(taken: Sequence[_Ended], settled: Sequence[Settled]) -> bool:
    return any(is_told(each.sending, so) for each, so in zip(taken, settled, strict=True))
