"""A scope put together: the copy that is kept, the runs that prove it, and what may be told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec.structs import replace

from tidings.errors import NotFoundError, RefusedError
from tidings.events.catalog import Catalog
from tidings.events.envelope import Entry
from tidings.ports import Ports
from tidings.reconciliation.answering import Answering
from tidings.reconciliation.asof import Bounds, bounds_of
from tidings.reconciliation.book import Book
from tidings.reconciliation.budget import Budget
from tidings.reconciliation.changes import Changes
from tidings.reconciliation.changing import Changing
from tidings.reconciliation.coding import Finding
from tidings.reconciliation.copying import Copying
from tidings.reconciliation.facts import micros
from tidings.reconciliation.holding import Holding, HoldingChanges
from tidings.reconciliation.listing import Scope
from tidings.reconciliation.mirror import Mirror
from tidings.reconciliation.reading import Asking
from tidings.reconciliation.records import Mode, Record, Run
from tidings.reconciliation.repairing import Repairs
from tidings.reconciliation.running import Approval, Running
from tidings.reconciliation.stamps import Stamps
from tidings.reconciliation.taking import Taking
from tidings.reconciliation.verifying import Verifying
from tidings.store.driver import StoreDriver
from tidings.store.rows import ViewTable
from tidings.views.declaration import ViewSpec

PERIOD_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Ground:
    """What all scopes of an application stand on. `owner`: the name of this process."""

    catalog: Catalog
    store: StoreDriver
    ports: Ports
    owner: str


class Reconciliation:
    """One scope of an open application. `reads`: an entry as an event; `table`: what the copy is read from."""

    def __init__(
        self,
        scope: Scope,
        view: ViewSpec,
        ground: Ground,
        *,
        budget: Budget,
        reads: Callable[[Entry], Any],
        table: Callable[[], Awaitable[ViewTable | None]],
    ) -> None:
        self.scope = scope
        self.budget = budget
        self._store = ground.store
        self._ports = ground.ports
        facts = scope.listing.facts
        copying = lru_cache(maxsize=4)(lambda secret: Copying(view, facts, secret))
        repairs = Repairs(scope.name, scope.listing, ground.catalog)
        holding = Holding(scope.name, ground.store, ground.ports, ground.owner)
        asking = Asking(scope.listing, budget, Stamps(facts), ground.ports)
        period = PERIOD_US if scope.every is None else micros(scope.every)
        answering = Answering(facts.capability, repairs, period)
        taking = Taking(facts.capability, repairs)
        definition = definition_of(scope, view)
        self._changing = Changing(
            HoldingChanges(scope.name, ground.store, ground.ports, ground.owner),
            asking,
            copying=copying,
            taking=Changes(taking),
            definition=definition,
        )
        self._verifying = Verifying(holding, asking, copying=copying, answering=answering)
        self._running = Running(
            holding,
            asking,
            copying=copying,
            taking=taking,
            verifying=self._verifying,
            definition=definition,
        )
        self.mirror = Mirror(scope, copying=copying, reads=reads, table=table, ports=ground.ports)

    async def run(self, mode: Mode, stopping: asyncio.Event | None = None, *, applies: bool = False) -> Run:
        """Run to the end. RefusedError while another process runs it."""
        return await self._running.run(mode, stopping or asyncio.Event(), applies=applies)

    async def run_changed(self, stopping: asyncio.Event | None = None) -> Run:
        """Read what has changed since all states were proved, and prove them anew; what was deleted it does not show.

        RefusedError while another process does, and until the whole list was proved once.
        """
        return await self._changing.run(stopping or asyncio.Event())

    async def approve(self, id: str, *, at_most: int, stopping: asyncio.Event | None = None) -> Run:
        """List once more, and delete what a run has held, up to so many. NotFoundError; RefusedError if it holds
        nothing."""
        held = await self.find(id)
        if held is None:
            raise NotFoundError(f"there is no run {id[:64]!r} of {self.scope.name}")
        if held.state != "held":
            raise RefusedError(f"the run {id} is {held.state}, so there is nothing to approve")
        if at_most < len(held.held):
            raise RefusedError(f"the run {id} holds {len(held.held)} deletes, more than {at_most}")
        approval = Approval(at_most, frozenset(held.held))
        return await self._running.run("approve", stopping or asyncio.Event(), applies=True, approval=approval)

    async def begin_next(self, now: int, after: int) -> bool:
        """Take the run that is due by `now`, so that no other process does; the next one is due at `after`."""
        async with self._store.unit() as unit:
            await unit.hold(self.scope.name)
            book = Book(unit, self.scope.name)
            record = await book.opened(self._ports.random)
            if record.next > now:
                return False
            await book.write(replace(record, next=after))
        return True

    async def read_dirty(self) -> int:
        """Read the items that events said too little of; return how many were."""
        return await self._verifying.dirty()

    async def find(self, id: str) -> Run | None:
        """Return one run."""
        rows = await self._store.notes_between(self.scope.name, "run", after=_before(id), upto=id.encode())
        return next((msgspec.json.decode(body, type=Run) for key, body in rows if key == id.encode()), None)

    async def runs(self, *, limit: int = 20) -> Sequence[Run]:
        """Return the runs, the last first."""
        rows = await self._store.notes_between(self.scope.name, "run", limit=limit, falling=True)
        return [msgspec.json.decode(body, type=Run) for _, body in rows]

    async def findings(self, *, run: str | None = None) -> Sequence[Finding]:
        """Return what was found, by one run or by all."""
        rows = await self._store.notes_between(self.scope.name, "finding")
        found = [msgspec.msgpack.decode(body, type=Finding) for _, body in rows]
        chosen = [each for each in found if run is None or each.run == run]
        return sorted(chosen, key=lambda each: (each.since, each.key))

    async def record(self) -> Record:
        """Return what is kept of the scope as a whole."""
        rows = await self._store.notes_between(self.scope.name, "scope")
        return Record() if not rows else msgspec.json.decode(rows[0][1], type=Record)

    async def asof(self) -> Bounds:
        """Return how far the copy is proved right, but for what."""
        async with self._store.unit() as unit:
            await unit.hold(self.scope.name)
            return await bounds_of(Book(unit, self.scope.name), self.scope.name, now=self._ports.clock.now_us())


def definition_of(scope: Scope, view: ViewSpec) -> str:
    """Return what names what is compared with what."""
    listing = type(scope.listing)
    parts = (scope.name, f"{listing.__module__}.{listing.__qualname__}", repr(scope.listing.facts), view.shape)
    return blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def _before(id: str) -> bytes | None:
    key = id.encode()
    return key[:-1] if key else None
