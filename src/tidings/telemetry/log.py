"""A log's driver that is measured: it passes every call on, and counts flushes and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from tidings.events.envelope import Entry, Envelope
from tidings.events.filter import EVERYTHING, Filter
from tidings.log.driver import Head, History, LogDriver, Page, Position, Receipt, Write
from tidings.ports import Clock
from tidings.telemetry.metrics import Metrics


class MeteredLog:
    """See `tidings.log.driver.LogDriver`. An append that fails is no flush: it may be sent again, and then is one."""

    def __init__(self, driver: LogDriver, metrics: Metrics, clock: Clock) -> None:
        self.facts = driver.facts
        self._driver = driver
        self._metrics = metrics
        self._clock = clock

    @property
    def inside_unit(self) -> bool:
        return self._driver.inside_unit

    async def append(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        begun = self._clock.monotonic()
        receipts = await self._driver.append(writes)
        metrics = self._metrics
        metrics.flush_seconds.observe((self._clock.monotonic() - begun,))
        metrics.flush_writes.observe((len(writes),))
        metrics.appended(zip([write.envelopes for write in writes], receipts, strict=True))
        return receipts

    async def append_one(self, envelope: Envelope, *, seconds: float) -> Receipt | None:
        begun = self._clock.monotonic()
        receipt = await self._driver.append_one(envelope, seconds=seconds)
        if receipt is not None:
            metrics = self._metrics
            metrics.flush_seconds.observe((self._clock.monotonic() - begun,))
            metrics.flush_writes.observe((1,))
            metrics.appended((((envelope,), receipt),))
        return receipt

    async def read(self, *, after: Position, limit: int, where: Filter = EVERYTHING) -> Page:
        return await self._driver.read(after=after, limit=limit, where=where)

    async def history(self, wanted: History) -> Sequence[Entry]:
        return await self._driver.history(wanted)

    async def at(self, positions: Sequence[Position]) -> Sequence[Entry]:
        return await self._driver.at(positions)

    async def find(self, source: str, id: str) -> Entry | None:
        return await self._driver.find(source, id)

    async def last_of(self, subject: str) -> Position:
        return await self._driver.last_of(subject)

    async def recorded_from(self, recorded: int) -> Position:
        return await self._driver.recorded_from(recorded)

    async def count(self, *, after: Position, where: Filter, most: int) -> int:
        return await self._driver.count(after=after, where=where, most=most)

    async def head(self) -> Head:
        return await self._driver.head()

    async def wait(self, *, after: Position, timeout: timedelta) -> None:
        await self._driver.wait(after=after, timeout=timeout)

    async def close(self) -> None:
        await self._driver.close()
