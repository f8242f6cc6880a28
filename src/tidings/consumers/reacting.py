"""Entries handed to a reaction in a unit, and what is written down when one of them fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidings.consumers.aside import Aside, subject_of
from tidings.consumers.breaker import Breaker
from tidings.consumers.faults import called
from tidings.consumers.leases import Leases
from tidings.consumers.reaction import Reaction
from tidings.consumers.retry import reason_of
from tidings.events.envelope import Entry
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.reason import Reason
from tidings.store.unit import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Reacting:
    """What all ways of carrying entries share."""

    reaction: Reaction
    store: StoreDriver
    ports: Ports
    leases: Leases
    aside: Aside
    breaker: Breaker

    async def handle(self, unit: Unit, entries: Sequence[Entry], *, gated: bool) -> bool:
        """Put followers of parked subjects behind them and hand over the others; say whether there were any."""
        free = await self.aside.free(unit, entries)
        if free:
            self.ports.points.at("unit:in-handler")
            await self.react(unit, free, gated=gated)
        return bool(free)

    async def react(self, unit: Unit, entries: Sequence[Entry], *, gated: bool = False) -> None:
        """Hand the entries over. Whatever leaves this, but for `faults.NOBODYS`, is a failure of one of them."""
        await called(self.reaction.apply(unit, entries, gated=gated))

    async def fail(self, unit: Unit, entry: Entry, error: Exception) -> None:
        """Set an entry aside that failed for the first time; the breaker counts it."""
        clock = self.ports.clock
        reason = reason_of(error, attempt=1, now=clock.now_us(), draw=self.ports.random.random())
        await self.set_aside(unit, entry, reason)
        self.breaker.failed(subject_of(entry), error, now=clock.monotonic())

    async def set_aside(self, unit: Unit, entry: Entry, reason: Reason) -> None:
        """Set an entry aside with its subject."""
        await self.aside.park(unit, entry, reason)
        self.ports.points.at("failure:parked")

    @property
    def must_stop(self) -> bool:
        """Whether the breaker wants no more entries to be tried now."""
        return self.breaker.is_pausing(self.ports.clock.monotonic())
