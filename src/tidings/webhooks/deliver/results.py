"""Writes what became of attempts: those that end together in one transaction, with what is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tidings.consumers.faults import PASSING
from tidings.errors import CheckpointMovedError
from tidings.log.flush import retry_delay
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, Decide, Settled
from tidings.webhooks.deliver.sendings import Sending
from tidings.webhooks.deliver.telling import events_about, tell, word_of

TOGETHER = 128
WRITES = 12


@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """An attempt that has ended. `written`: done once it is settled, or nobody will write it any more."""

    sending: Sending
    claimed: Sequence[ClaimedEndpointDelivery]
    decide: Decide
    written: asyncio.Future[None]


class Results:
    """Takes results one by one and writes them in the order in which they came."""

    def __init__(self, store: StoreDriver, ports: Ports) -> None:
        self._store = store
        self._ports = ports
        self._waiting: list[Ended] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(
        self, sending: Sending, decide: Decide, *, claimed: Sequence[ClaimedEndpointDelivery] | None = None
    ) -> None:
        """Come back once the result is written, or another owner has it. `claimed`: those that it is of; None: all."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(Ended(sending, sending.claimed if claimed is None else claimed, decide, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name="results of endpoint deliveries")
        await written

    async def _write_all(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
            taken.sort(key=lambda ended: ended.sending.record.id)  # everybody locks endpoints in this order
            try:
                await self._write(taken)
            except Exception as error:
                for each in (each for each in taken if not each.written.done()):
                    each.written.set_exception(error)

    async def _write(self, taken: Sequence[Ended]) -> None:
        try:
            await self._patiently(taken)
        except CheckpointMovedError:
            if len(taken) == 1:
                _done(taken[0])  # a stale owner changes nothing: whoever has it now writes its result
                return
            for each in taken:
                await self._write([each])

    async def _patiently(self, taken: Sequence[Ended]) -> None:
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
                for each, so in zip(taken, settled, strict=True):
                    self._tell(each, so)
                return

    async def _once(self, taken: Sequence[Ended]) -> Sequence[Settled]:
        async with self._store.unit() as unit:
            settled = await unit.settle_each([(each.claimed, each.decide) for each in taken])
            for each, so in zip(taken, settled, strict=True):
                events = events_about(each.sending, so, self._ports)
                if events:
                    unit.emit(events)
        return settled

    def _tell(self, ended: Ended, settled: Settled) -> None:
        for _ in ended.claimed:
            self._ports.observer.sent(settled.after.id, word_of(settled.result))
        tell(ended.sending, settled)
        _done(ended)


def _done(ended: Ended) -> None:
    if not ended.written.done():
        ended.written.set_result(None)
