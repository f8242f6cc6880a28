"""This process among those that run: what it accepts and emits, whether it may read yet, which versions are open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from tidings.app.declared import Known
from tidings.app.saying import Saying
from tidings.app.sunsets import Sunsets
from tidings.consumers.faults import PASSING
from tidings.log.log import Log
from tidings.operations.census import census
from tidings.operations.gates import open_what_may, settle_closing
from tidings.ports import Clock
from tidings.store.driver import StoreDriver
from tidings.store.versions import VersionLease
from tidings.versions.admission import lacking
from tidings.versions.census import consumer_of
from tidings.versions.gates import gates_of

TTL = timedelta(seconds=30)
BEAT_SECONDS = 10.0
LOOK_BACK_SECONDS = 3_600.0
_log = logging.getLogger("tidings.app")


@dataclass(frozen=True, slots=True)
class Kept:
    """Where everything is kept."""

    log: Log
    store: StoreDriver


class Instance:
    """Renews what it says, and learns from the others. `opens`: whether gates are opened here as soon as they may be.

    A consumer reads once it is admitted: when its instance accepts all that it may meet. One whose lease lapsed, since
    the process stood still, has to be admitted again.
    """

    name = "versions"

    def __init__(
        self, saying: Saying, known: Known, sunsets: Sunsets, kept: Kept, *, clock: Clock, opens: bool
    ) -> None:
        self._saying = saying
        self._sunsets = sunsets
        self._log = kept.log
        self._looked_back = float("-inf")
        self._versions = known.versions
        self._keeper = known.keeper
        self._store = kept.store
        self._clock = clock
        self._opens = opens
        self._reads = False
        self._is_registered = False
        self._renewed_at: float | None = None
        self._has_learned = False
        self._admitted: set[str] = set()
        self._held: dict[str, str] = {}
        self._good_until = float("-inf")
        self._beating = asyncio.Lock()

    @property
    def held(self) -> Mapping[str, str]:
        """The consumers that may not read yet, and why."""
        return self._held

    async def begin(self, *, reads: bool) -> None:
        """Make the versions known, join those that run, and be admitted. SchemaChangedError.

        `reads`: whether anything is carried here; else only what it emits is said. While the store is out of reach
        nothing is read, and what is of a type with several versions is not appended.
        """
        self._reads = reads
        if self._saying.registered:
            self._keeper.await_gates()
            with suppress(*PASSING):  # it is asked again, and told, by whoever goes on
                await self.beat()

    async def run(self, stopping: asyncio.Event) -> None:
        """Beat until `stopping` is set; then leave."""
        while not stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), BEAT_SECONDS)
            if not stopping.is_set():
                await self._beat_again()

    async def end(self) -> None:
        """Leave: what this process said counts no more."""
        self._good_until = float("-inf")
        with suppress(*PASSING):
            await self._store.leave_versions(self._saying.instance)

    async def may_read(self, consumer: str) -> bool:
        """Say whether a consumer may claim partitions now; one that says nothing of versions may."""
        name = consumer_of(consumer)
        if not self._reads or name not in self._saying.consumers:
            return True  # nothing is carried here but what an operator rebuilds
        if self._clock.monotonic() > self._good_until:
            await self._beat_again()
        return name in self._admitted

    async def learn(self) -> None:
        """Know what others opened and closed since the last beat. It renews nothing: what is known is relied on no
        longer for it."""
        async with self._beating:
            if self._renewed_at is not None:
                await self._learn()

    async def beat(self) -> None:
        """Renew, learn which versions and gates there are, be admitted, open what may be, count what was appended."""
        async with self._beating:
            if not self._is_registered:
                await self._store.register_versions(self._saying.registered, replaces=self._saying.is_locked)
                self._is_registered = True
            sent = self._clock.monotonic()
            leases = self._leases()
            is_renewed = bool(leases) and await self._renewed()
            self._renewed_at = sent if leases else None
            await self._learn()
            is_dated = bool(self._saying.horizons) and sent - self._looked_back > LOOK_BACK_SECONDS
            if leases and (self._has_learned or not is_renewed or is_dated):
                await self._join(is_renewed=is_renewed)
                self._has_learned = False
            self._good_until = sent + TTL.total_seconds() * 5 / 6
            await self._admit()
            await self._decide()
            await self._store.fold_census()

    async def _learn(self) -> None:
        rows = await self._store.event_versions()
        self._has_learned |= self._versions.learn(rows)
        self._keeper.learn(gates_of(rows), sent=self._renewed_at)

    async def _beat_again(self) -> None:
        try:
            await self.beat()
        except PASSING as error:
            _log.warning("which versions are open cannot be asked now: %s", error)

    def _leases(self) -> Sequence[VersionLease]:
        return [each for each in self._saying.leases if self._reads or each.role == "emit"]

    async def _renewed(self) -> bool:
        return await self._store.renew_versions(self._saying.instance, self._keeper.epochs, ttl=TTL)

    async def _join(self, *, is_renewed: bool) -> None:
        """Say everything anew: what was admitted stays so if it was renewed in time, since it accepts only more now."""
        if not is_renewed:
            self._admitted.clear()
        await self._look_back()
        epochs = self._keeper.epochs
        said = [self._as_it_is(each, epochs) for each in self._leases()]
        await self._store.join_versions(said, ttl=TTL)

    async def _look_back(self) -> None:
        """Find where what may be read again begins. It moves on with time, and is said anew every hour."""
        self._looked_back, now = self._clock.monotonic(), self._clock.now_us()
        for consumer, horizon in self._saying.horizons.items():
            after = await self._log.recorded_from(now - horizon // timedelta(microseconds=1))
            self._saying.look_back({consumer: after})

    def _as_it_is(self, lease: VersionLease, epochs: Mapping[str, int]) -> VersionLease:
        is_admitted = lease.role != "accept" or lease.consumer in self._admitted
        return replace(lease, gate_epoch=epochs.get(lease.type, 0), admission="admitted" if is_admitted else "held")

    async def _admit(self) -> None:
        waiting = [each for each in self._saying.consumers if each not in self._admitted]
        if not (self._reads and waiting):
            return
        admitted = []
        types = {lease.type for name in waiting for lease in self._saying.accepting(name)}
        async with self._store.deciding(*types) as deciding:
            known = await census(deciding)
            for name in waiting:
                why = lacking(known, self._saying.accepting(name))
                if why:
                    self._hold(name, why)
                else:
                    await deciding.admit_consumer(self._saying.instance, name)
                    admitted.append(name)
        for name in admitted:
            self._admitted.add(name)
            self._held.pop(name, None)

    def _hold(self, name: str, why: str) -> None:
        if self._held.get(name) != why:
            _log.warning("%s", why)
        self._held[name] = why

    async def _decide(self) -> None:
        changed = await self._sunsets.look()
        changed += await settle_closing(self._store)
        emitted = self._saying.emitted
        if self._opens and any(not self._is_open(emitted[service]) for service in emitted):
            changed += await open_what_may(self._store, emitted)
        if changed:
            await self._learn()

    def _is_open(self, types: Mapping[str, frozenset[int]]) -> bool:
        return all(self._keeper.gates.is_open(type, each) for type, versions in types.items() for each in versions)
