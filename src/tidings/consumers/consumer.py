"""A named reader of the log that carries entries to one reaction, in order, and keeps what it did with what it read."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tidings.consumers.aside import Aside
from tidings.consumers.breaker import Breaker
from tidings.consumers.faults import PASSING
from tidings.consumers.leases import RENEW_SECONDS, Leases
from tidings.consumers.reacting import Reacting
from tidings.consumers.reaction import Reaction, partitions_of
from tidings.consumers.work import Rest, Work
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.driver import StoreDriver


class Consumer:
    """Carries the entries of a reaction's types to it.

    `owner`: the name under which this process holds leases, `tidings.ports.this_process()`. `carries`: False for the
    reaction of an inline view, whose entries are folded by their appends: then only parked subjects are redriven.
    A consumer that is not registered yet begins before the log's first entry.
    """

    def __init__(
        self, reaction: Reaction, *, log: Log, store: StoreDriver, ports: Ports, owner: str, carries: bool = True
    ) -> None:
        self.name = reaction.name
        self._log = log
        self._clock = ports.clock
        self._leases = Leases(reaction.name, store=store, ports=ports, owner=owner, partitions=partitions_of(reaction))
        self._breaker = Breaker(reaction.name)
        reacting = Reacting(
            reaction=reaction,
            store=store,
            ports=ports,
            leases=self._leases,
            aside=Aside(reaction.name, store),
            breaker=self._breaker,
        )
        self._work = Work(reacting, log, carries=carries)
        self._resting: asyncio.Task[None] | None = None

    @property
    def pausing(self) -> str | None:
        """Why nothing is carried now, lest a broken release move the log into dead letters; None if all is well.

        Or why a partition stands still here: this release cannot read the version of what is next in it.
        """
        return self._breaker.why if self._breaker.is_pausing(self._clock.monotonic()) else self._leases.stopped

    async def run(self, stopping: asyncio.Event) -> None:
        """Carry entries until `stopping` is set; then finish the page under way, release the leases, and return.

        Cancelling rolls the page back and settles nothing; it may be a handler's own doing, so the leases are left
        behind as if the process had been killed, and whoever follows is careful. A store or a log that is out of reach
        is waited for. LogRewoundError and PositionExpiredError if the log does not have what comes next.
        """
        self._work.begin()
        renewing = asyncio.create_task(self._keep_leases())
        stopped = asyncio.create_task(self._end_rest(stopping))
        try:
            while not stopping.is_set():
                if renewing.done():
                    renewing.result()
                rest = await self._next(stopping)
                if rest is not None and not stopping.is_set():
                    await self._rest(rest)
        finally:
            renewing.cancel()
            stopped.cancel()
            await asyncio.gather(renewing, stopped, return_exceptions=True)
            await self.release()

    async def step(self, stopping: asyncio.Event) -> Rest | None:
        """Do what is next, a page at most; return how long to rest, None to go on at once. Raises as `run` does."""
        return await self._work.step(stopping)

    async def _next(self, stopping: asyncio.Event) -> Rest | None:
        try:
            return await self.step(stopping)
        except Exception:
            raise
        except BaseException:
            self._leases.abandon()
            raise

    async def release(self) -> None:
        """Let go of the leases, for whoever runs it by `step`; the next step claims anew."""
        try:
            await self._leases.let_go()
        except PASSING:
            return  # they end by themselves

    async def _keep_leases(self) -> None:
        while True:
            await self._clock.sleep(RENEW_SECONDS)
            if not await self._leases.renew():
                self._disturb()

    async def _end_rest(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._disturb()

    def _disturb(self) -> None:
        if self._resting is not None:
            self._resting.cancel()

    async def _rest(self, rest: Rest) -> None:
        self._resting = asyncio.create_task(self._until(rest))
        try:
            await asyncio.wait((self._resting,))
        finally:
            self._resting.cancel()
            await asyncio.gather(self._resting, return_exceptions=True)
            self._resting = None

    async def _until(self, rest: Rest) -> None:
        if rest.after is None:
            await self._clock.sleep(rest.seconds)
            return
        try:
            await self._log.wait(after=rest.after, timeout=timedelta(seconds=rest.seconds))
        except PASSING:
            await self._clock.sleep(rest.seconds)
