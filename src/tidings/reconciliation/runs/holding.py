"""Who runs a scope: one process at a time, by a lease whose number every transaction of the run compares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from msgspec.structs import replace

from tidings.errors import UnderWayError
from tidings.ports import Ports, is_gone
from tidings.reconciliation.kept.book import RECORD, Book
from tidings.reconciliation.kept.records import Lease, Record, Run
from tidings.reconciliation.rules.stamps import Agreed
from tidings.store.driver import StoreDriver
from tidings.store.note_store import Span
from tidings.store.unit import Unit

LEASE_US = 60_000_000
BREACHES_KEPT = 20


class LostLeaseError(Exception):
    """Another process runs the scope now."""


class Holding:
    """A scope as one process has it."""

    def __init__(self, scope: str, store: StoreDriver, ports: Ports, owner: str) -> None:
        self.scope = scope
        self.ports = ports
        self._store = store
        self._owner = owner
        self._epoch = 0
        self._alone = asyncio.Lock()

    @property
    def now(self) -> int:
        """The wall clock, µs since 1970."""
        return self.ports.clock.now_us()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the scope, once no other task of this process does: a lease tells processes apart. Let go of it then."""
        async with self._alone:
            try:
                yield
            finally:
                await self._let_go()

    @asynccontextmanager
    async def open(self, ahead: Sequence[Span] = ()) -> AsyncIterator[tuple[Unit, Book, Record]]:
        """Hold the scope in a unit, whoever runs it. `ahead`: what will be read in it, see `Notes.look_ahead`."""
        async with self._store.unit() as unit:
            await unit.hold(self.scope)
            book = Book(unit, self.scope)
            if ahead:
                await book.look_ahead((RECORD, *ahead))
            yield unit, book, await book.opened(self.ports.random)

    @asynccontextmanager
    async def held(self, ahead: Sequence[Span] = ()) -> AsyncIterator[tuple[Unit, Book, Record]]:
        """Hold the scope in a unit, if it is still ours to run; whoever writes the record lengthens the lease."""
        async with self.open(ahead) as (unit, book, record):
            if not self._is_ours(record):
                raise LostLeaseError
            yield unit, book, self._with(record, self._owner, self.now + LEASE_US)

    def taken(self, record: Record) -> Record:
        """Return the record once the scope is ours to run. UnderWayError while another process runs it."""
        lease = self._lease(record)
        if lease.owner != self._owner and is_held(lease, self.now):
            raise UnderWayError(f"{self.scope} is being run by another process: wait for its end")
        self._epoch = lease.epoch + 1
        return self._with(record, self._owner, self.now + LEASE_US)

    async def _let_go(self) -> None:
        """Leave the scope to whoever comes next."""
        async with self.open() as (_, book, record):
            if self._is_ours(record):
                await book.write(self._with(record, "", 0))

    def _is_ours(self, record: Record) -> bool:
        lease = self._lease(record)
        return lease.owner == self._owner and lease.epoch == self._epoch

    def _lease(self, record: Record) -> Lease:
        return Lease(record.owner, record.epoch, record.until)

    def _with(self, record: Record, owner: str, until: int) -> Record:
        return replace(record, owner=owner, epoch=self._epoch, until=until)

    async def ticket(self) -> int:
        """Return a number that is higher than all before, taken before a read begins."""
        async with self.open() as (_, book, record):
            await book.write(replace(record, ticket=record.ticket + 1))
        return record.ticket + 1

    async def record(self) -> Record:
        """Return what is kept of the scope as a whole."""
        rows = await self._store.notes_between(self.scope, "scope", limit=1)
        return msgspec.json.decode(rows[0][1], type=Record) if rows else Record()

    async def set_line(self, line: Agreed | None, *, least: int | None) -> None:
        """Keep what the provider's clock is off by. `least`: where its clock was set, so that nothing follows any more
        from what reads proved before."""
        async with self.open() as (_, book, record):
            await book.write(replace(record, line=line, least=record.least if least is None else least))

    async def breach(self, fact: str) -> None:
        """Note that the provider did not keep what was declared of it."""
        async with self.open() as (_, book, record):
            await book.write(breached(record, fact, self.now))
        self.ports.observer.breached(self.scope, fact)


class HoldingChanges(Holding):
    """The same, for reading what has changed: it goes on beside whoever reads the whole list."""

    def _lease(self, record: Record) -> Lease:
        return record.changes

    def _with(self, record: Record, owner: str, until: int) -> Record:
        return replace(record, changes=Lease(owner, self._epoch, until))


def is_held(lease: Lease | Record, now: int) -> bool:
    """Say whether a process has it."""
    return lease.owner != "" and lease.until > now and not is_gone(lease.owner)


async def last_of(book: Book, record: Record, run: Run) -> str:
    """Return which run is the last one once this one has ended: a dry one says nothing of what a real one has left."""
    last = await book.run(record.last) if run.is_dry and record.last else None
    return run.id if last is None or last.is_dry else last.id


async def let_go_of(book: Book, run: Run) -> None:
    """Have a run hold nothing any more once it was approved, and that carried out: what is left, the approval holds."""
    held = await book.run(run.of) if run.of and run.state in ("done", "held") else None
    if held is not None and held.state == "held":
        await book.write_run(replace(held, state="done", why=f"it was approved: see the run {run.id}"))


def breached(record: Record, fact: str, now: int) -> Record:
    """Return the record with one more breach; of each fact the last are kept, so that none hides another."""
    if not fact:
        return record
    of_fact = [each for each in record.breaches if each[0] == fact]
    others = [each for each in record.breaches if each[0] != fact]
    return replace(record, breaches=(*others, *of_fact[1 - BREACHES_KEPT :], (fact, now)))
