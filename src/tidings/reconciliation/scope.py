"""A scope as others see it: the runs that prove it, and what may be told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from tidings.errors import NotFoundError, NotProvedError, RefusedError, UnderWayError
from tidings.events.identity import uuid7
from tidings.ports import Ports
from tidings.reconciliation.asof import Bounds, Ran, bounds_of
from tidings.reconciliation.copy.mirror import Mirror
from tidings.reconciliation.kept.attributing import attributed
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Finding
from tidings.reconciliation.kept.ranked import RankedAhead, ranked_ahead
from tidings.reconciliation.kept.records import Lease, Mode, Record, Run
from tidings.reconciliation.listing import Scope
from tidings.reconciliation.outbound.party.pushing import Pushing
from tidings.reconciliation.rules.delays import grace_of
from tidings.reconciliation.rules.facts import Capability, micros
from tidings.reconciliation.rules.stamps import most_ahead
from tidings.reconciliation.rules.times import Every, is_due_at_first, is_kept, start_after
from tidings.reconciliation.runs.beginning import Approval, Beginning, Wanted
from tidings.reconciliation.runs.budget import Budget
from tidings.reconciliation.runs.changing import Changing
from tidings.reconciliation.runs.drift import Drift
from tidings.reconciliation.runs.holding import is_held, last_of
from tidings.reconciliation.runs.parking import Parking
from tidings.reconciliation.runs.purging import Purging
from tidings.reconciliation.runs.running import Running
from tidings.reconciliation.runs.verifying import Verifying
from tidings.store.audit import Change, What
from tidings.store.driver import StoreDriver
from tidings.wording import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a scope is made of. `definition`: names what is compared with what; `mirror`: what keeps a copy, if it is
    one; `changing`: None where what has changed cannot be read; `pushing`: what a party's items are pushed by; `holds`:
    what a run may hold, in one word."""

    definition: str
    beginning: Beginning
    running: Running
    verifying: Verifying
    changing: Changing | None = None
    mirror: Mirror | None = None
    drift: Drift | None = None
    parking: Parking | None = None
    purging: Purging | None = None
    pushing: Pushing | None = None
    view: str = ""
    holds: str = "delete"


class Reconciliation:
    """One scope of an open application. See `tidings.reconciliation.assembling`."""

    def __init__(self, scope: Scope, parts: Parts, *, store: StoreDriver, ports: Ports, budget: Budget) -> None:
        self.scope = scope
        self.view = parts.view
        self.holds = parts.holds
        self.mirror = parts.mirror
        self.pushing = parts.pushing
        self.budget = budget
        self._store = store
        self._ports = ports
        self._definition = parts.definition
        self._changing = parts.changing
        self._drift = parts.drift
        self._parking = parts.parking
        self._purging = parts.purging
        self._beginning = parts.beginning
        self._verifying = parts.verifying
        self._running = parts.running

    async def run(self, mode: Mode, stopping: asyncio.Event | None = None, *, applies: bool = False) -> Run:
        """Run to the end. RefusedError while another process runs it."""
        return await self._ran(self._running.run(Wanted(mode=mode, applies=applies), stopping or asyncio.Event()))

    async def _ran(self, running: Awaitable[Run]) -> Run:
        run = await running
        if self._parking is not None:
            await self._parking.mark(run)
        if self._purging is not None and run.state == "done" and not run.is_dry:
            await self._purging.purge()
        return run

    async def run_changed(self, stopping: asyncio.Event | None = None) -> Run:
        """Read what has changed since all states were proved, and prove them anew; what was deleted it does not show.

        RefusedError while another process does; NotProvedError until the whole list was proved once, and where nothing
        lists that.
        """
        if self._changing is None:
            raise NotProvedError(f"of {self.scope.name} nothing lists what has changed: run it whole")
        return await self._ran(self._changing.run(stopping or asyncio.Event()))

    async def run_key(self, key: str) -> Run:
        """Ask for one item, and repair what differs. NotProvedError until the whole list was proved once."""
        record = await self.record()
        if record.definition != self._definition:
            raise NotProvedError(f"{self.scope.name} was not proved whole yet: run it whole first")
        last = await self.find(record.last) if record.last else None
        now, grace = self._ports.clock.now_us(), self._grace(record)
        id = uuid7(now, self._ports.random.getrandbits(74))
        run = Run(id=id, mode="key", definition=self._definition, started=now, merges=record.merges, grace=grace)
        return await self._ran(self._verifying.one(run, key, control="" if last is None else last.control))

    async def approve(self, id: str, *, at_most: int, who: str = "local", stopping: asyncio.Event | None = None) -> Run:
        """List once more, and delete what a run has held, as far as it was not listed since; what nobody has approved
        stays held. NotFoundError; RefusedError if it holds nothing, or more than `at_most`."""
        approval = await self.approval(id, at_most=at_most)
        async with self._store.changing(self._change("reconcile-approved", who, self._approved(id, at_most))):
            wanted = Wanted(mode="approve", applies=True, approval=approval)
        return await self._ran(self._running.run(wanted, stopping or asyncio.Event()))

    async def approval(self, id: str, *, at_most: int) -> Approval:
        """Return what approves the deletes that a run has held. As `approve`."""
        held = await self.that(id)
        if held.state != "held":
            why = f": {held.why}" if held.why else ""
            raise RefusedError(f"the run {id} is {held.state}, so there is nothing to approve{why}")
        if held.definition != self._definition:
            raise RefusedError(f"the run {id} is of another adapter, account or view than there is now: run it anew")
        if at_most < held.held_count:
            raise RefusedError(f"the run {id} holds {counted(held.held_count, self.holds)}, more than {at_most}")
        if held.held_more and "order" in held.breaches:  # what was suspected before its list lost its order stays so
            raise RefusedError(
                f"the list of the run {id} lost its order, so it is not known what it holds: run it anew"
            )
        return Approval(at_most, frozenset() if held.held_more else frozenset(held.held), held.epoch, held.id)

    async def begin(self, wanted: Wanted, *, who: str, of: str = "", store: StoreDriver | None = None) -> Run:
        """Have a run made by the process that carries the scope, soon. `of`: the run that is approved; `store`: that of
        a transaction that is open. UnderWayError while one is under way."""
        what: What = "reconcile-begun" if wanted.approval is None else "reconcile-approved"
        why = wanted.mode if wanted.approval is None else self._approved(of, wanted.approval.at_most)
        async with self._audited(what, who, why, store) as (book, record):
            kept = await book.run(record.run) if record.run else None
            if kept is not None and kept.state == "running":
                raise UnderWayError(f"the run {kept.id} of {self.scope.name} is under way: wait for its end")
            run = await self._beginning.begin(book, record, wanted)
            await book.write(replace(record, run=run.id))
        return run

    async def cancel(self, id: str, *, who: str, store: StoreDriver | None = None) -> Run:
        """End a run that is under way, or waits: whoever carries it goes no further. NotFoundError; RefusedError."""
        async with self._audited("reconcile-cancelled", who, id, store) as (book, record):
            run = await book.run(id)
            if run is None:
                raise NotFoundError("run", id, of=self.scope.name)
            if run.state not in ("running", "paused"):
                raise RefusedError(f"the run {id} is {run.state}, so there is nothing to cancel")
            ended = replace(run, state="failed", why="it was cancelled", ended=self._ports.clock.now_us())
            await book.write_run(ended)
            if run.mode == "changed":
                freed = replace(record, changes=Lease("", record.changes.epoch + 1, 0))
            else:
                ended_last = await last_of(book, record, ended)
                freed = replace(record, owner="", until=0, epoch=record.epoch + 1, last=ended_last)
            await book.write(freed)
        return ended

    @asynccontextmanager
    async def _audited(
        self, what: What, who: str, why: str, store: StoreDriver | None
    ) -> AsyncIterator[tuple[Book, Record]]:
        """Hold the scope in a transaction that the audit keeps."""
        async with (store or self._store).changing(self._change(what, who, why)) as changing:
            await changing.noting.hold(self.scope.name)
            book = Book(changing.noting, self.scope.name)
            yield book, await book.opened(self._ports.random)

    def _change(self, what: What, who: str, why: str) -> Change:
        return Change(who=who, what=what, on=self.scope.name, reason=why)

    async def waiting(self) -> Mode | None:
        """Return how the run goes that was begun, and that nobody carries; None if there is none."""
        record = await self.record()
        if record.run in ("", record.last) or is_held(record, self._ports.clock.now_us()):
            return None
        run = await self.find(record.run)
        return run.mode if run is not None and run.state == "running" else None

    async def begin_next(self, every: Every, *, changes: bool = False) -> bool:
        """Begin the run that is due, unless one is under way, so that no other process does, and say whether one was
        due; set when the next one is. `changes`: it is for whoever is told so to read what has changed."""
        now, lot = self._ports.clock.now_us(), self._ports.random.random()
        if (await self._next(changes)) > now and is_kept(await self._next(changes), every, now):
            return False
        async with self._store.unit() as unit:
            await unit.hold(self.scope.name)
            book = Book(unit, self.scope.name)
            record = await book.opened(self._ports.random)
            start = record.changes_next if changes else record.next
            if start > now and is_kept(start, every, now):
                return False
            after, is_due = start_after(every, now, lot), start <= now and (start > 0 or is_due_at_first(every))
            if changes:
                await book.write(replace(record, changes_next=after))
                return is_due
            kept = await book.run(record.run) if record.run else None
            if is_due and (kept is None or kept.state != "running"):
                wanted = Wanted(mode=kept.mode if kept is not None and kept.state == "paused" else "run")
                record = replace(record, run=(await self._beginning.begin(book, record, wanted)).id)
            await book.write(replace(record, next=after))
        return is_due

    async def _next(self, changes: bool) -> int:
        record = await self.record()
        return record.changes_next if changes else record.next

    async def read_dirty(self) -> int:
        """Read the items that events said too little of; return how many were."""
        return await self._verifying.dirty()

    async def find(self, id: str) -> Run | None:
        """Return one run."""
        rows = await self._store.notes_between(self.scope.name, "run", after=_before(id), upto=id.encode())
        return next((msgspec.json.decode(body, type=Run) for key, body in rows if key == id.encode()), None)

    async def runs(self, *, before: str | None = None, limit: int = 20) -> Sequence[Run]:
        """Return the runs, the last first. `before`: the id of one that they began before."""
        upto = None if before is None else before.encode()
        rows = await self._store.notes_between(self.scope.name, "run", upto=upto, limit=limit + 1, falling=True)
        return [msgspec.json.decode(body, type=Run) for key, body in rows if key != upto][:limit]

    def _grace(self, record: Record) -> int:
        return grace_of(record.delays, horizon=micros(self.scope.listing.facts.redelivery_horizon))

    async def count_drift(self) -> int:
        """Count the findings whose events are missed by now; return how many were. See `attributing`."""
        return 0 if self._drift is None else await self._drift.count()

    async def findings(self, *, run: str | None = None) -> Sequence[Finding]:
        """Return what was found, by one run or by all."""
        rows = await self._store.notes_between(self.scope.name, "finding")
        if run is not None:
            its = await self._store.notes_between(self.scope.name, "found", after=f"{run}\0".encode(), upto=_end(run))
            ids = {key.rpartition(b"\0")[2] for key, _ in its}
            rows = [(id, body) for id, body in rows if id in ids]
        now, horizon = self._ports.clock.now_us(), micros(self.scope.listing.facts.redelivery_horizon)
        kept = [msgspec.msgpack.decode(body, type=Finding) for _, body in rows]
        found = [attributed(each, now=now, horizon=horizon) for each in kept]
        return sorted(found, key=lambda each: (each.since, each.key))

    async def counts(self) -> Mapping[str, int]:
        """Return how many notes of each kind are kept."""
        return await self._store.count_notes(self.scope.name)

    async def record(self) -> Record:
        """Return what is kept of the scope as a whole."""
        rows = await self._store.notes_between(self.scope.name, "scope", limit=1)
        return Record() if not rows else msgspec.json.decode(rows[0][1], type=Record)

    async def asof(self) -> Bounds:
        """Return how far the copy is proved right, but for what."""
        record = await self.record()
        first = await self._store.notes_between(self.scope.name, "run", limit=1)
        began = msgspec.json.decode(first[0][1], type=Run).started if first else None
        last = await self.find(record.last) if record.last else None
        return await bounds_of(self._store, self.scope, Ran(record, last, began, record.definition == self._definition))

    async def ranked_ahead(self) -> RankedAhead:
        """Return what the copy has ranked by a time that is further ahead than any is believed to be."""
        facts = self.scope.listing.facts
        if self.mirror is None or facts.capability is Capability.BARE:  # ranked by what is no time
            return RankedAhead()
        than = self._ports.clock.now_us() + most_ahead(facts) + facts.tick_us
        return await ranked_ahead(self._store, self.scope.name, than=than)

    async def that(self, id: str) -> Run:
        """Return one run. NotFoundError."""
        found = await self.find(id)
        if found is None:
            raise NotFoundError("run", id, of=self.scope.name)
        return found

    def _approved(self, id: str, at_most: int) -> str:
        return f"up to {counted(at_most, self.holds)} of the run {id}"


def _end(run: str) -> bytes:
    return f"{run}\x01".encode()


def _before(id: str) -> bytes | None:
    key = id.encode()
    return key[:-1] if key else None
