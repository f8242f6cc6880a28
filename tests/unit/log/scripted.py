"""A wrapper of a real driver that fails, stalls and counts on demand: what a log has to live with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tidings.log.driver import LogDriver, Page, Receipt, Write


class Scripted:
    """Passes every call on. `before`, `after`: errors of the next appends, raised before or after they were kept.

    `gate`: while it is cleared, appends stand before the driver. `flushes`: the ids of every flush that came here.
    """

    def __init__(self, driver: LogDriver) -> None:
        self.facts = driver.facts
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.poison: dict[str, Exception] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()
        self.flushes: list[list[str]] = []
        self.reads = 0
        self.closes = 0
        self._driver = driver

    @property
    def inside_unit(self) -> bool:
        return self._driver.inside_unit

    async def append(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        ids = [envelope.id for write in writes for envelope in write.envelopes]
        self.flushes.append(ids)
        self.arrived.set()
        await self.gate.wait()
        if self.before:
            raise self.before.pop(0)
        for id in ids:
            if id in self.poison:
                raise self.poison[id]
        receipts = await self._driver.append(writes)
        if self.after:
            raise self.after.pop(0)
        return receipts

    async def read(self, **more: Any) -> Page:
        self.reads += 1
        return await self._driver.read(**more)

    async def close(self) -> None:
        self.closes += 1
        await self._driver.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    async def stall(self) -> None:
        """Let no flush through from now on."""
        self.gate.clear()
        self.arrived.clear()
