"""One pass over what a provider says has changed: its states are proved, and nothing about what it does not show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace as replaced
from itertools import pairwise

from msgspec.structs import replace

from tidings.errors import NotProvedError
from tidings.events.identity import uuid7
from tidings.ports import utc
from tidings.reconciliation.copy.copying import Copying, Told, copied, stood
from tidings.reconciliation.copy.repairing import carried_out
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import key_place, place_key
from tidings.reconciliation.kept.records import Record, Run, RunState
from tidings.reconciliation.kept.suspecting import unread_told
from tidings.reconciliation.listing import Page
from tidings.reconciliation.rules.delays import grace_of
from tidings.reconciliation.rules.facts import ProviderFacts, micros
from tidings.reconciliation.rules.floors import NEVER, Floors
from tidings.reconciliation.rules.paging import CURSORS_MAX, EMPTY_MAX, Looked
from tidings.reconciliation.rules.places import START, WHOLE, Place, Range
from tidings.reconciliation.runs.changes import Changes
from tidings.reconciliation.runs.holding import HoldingChanges, LostLeaseError
from tidings.reconciliation.runs.pages import Taken, after, loops
from tidings.reconciliation.runs.reading import TRIES, Asking, NoReadError, ReadOf, unread, without_names

RESTARTS = 3
NAP_SECONDS = 15.0
_ID_BITS = 74


def since_of(upserts: int, facts: ProviderFacts) -> int:
    """Return from when on changes have to be read so that none is left out: from the end of the tick up to which all
    are known, less what a read may lag, and two ticks; µs."""
    end, overlap = upserts + facts.tick_us, facts.settles + 2 * facts.tick_us
    return (end - overlap) // facts.tick_us * facts.tick_us


def has_gap(since: int, upserts: int, facts: ProviderFacts) -> bool:
    """Say whether changes may have been left out between what was known and what was read."""
    return upserts == NEVER or since > since_of(upserts, facts)


class Changing:
    """Reads what has changed, for one scope. `definition`: of what is compared with what."""

    def __init__(
        self,
        holding: HoldingChanges,
        asking: Asking,
        *,
        copying: Callable[[bytes], Copying],
        taking: Changes,
        definition: str,
    ) -> None:
        self._holding = holding
        self._asking = asking
        self._copying = copying
        self._taking = taking
        self._definition = definition
        self._secret = b""

    @property
    def _facts(self) -> ProviderFacts:
        return self._asking.listing.facts

    async def run(self, stopping: asyncio.Event) -> Run:
        """Read to the end, or until `stopping` is set: then it is taken up again where it stood.

        What this process reads is waited for. RefusedError while another process does; NotProvedError if the whole list
        was never proved.
        """
        async with self._holding.running():
            run = await self._begin()
            with suppress(LostLeaseError):
                while run.state == "running" and not stopping.is_set():
                    run = await self._next(run, stopping)
                self._holding.ports.points.at("reconcile:run-ended")
            return run

    async def _next(self, run: Run, stopping: asyncio.Event) -> Run:
        if not run.is_listed:
            return await self._page(run)
        if run.presence_only:
            is_drift = "order" in run.breaches
            why = "what has changed is not listed by version" if is_drift else unread_told(run)
            return await self._end(run, "incomplete", why)
        if not self._facts.settles or run.is_closing:
            return await self._prove(run)
        await self._settle(stopping)
        return run if stopping.is_set() else await self._keep(_closing(run, self._facts))

    async def _begin(self) -> Run:
        if not self._facts.filters_by_change:
            raise NotProvedError(f"the listing of {self._holding.scope} does not filter by change: run it whole")
        async with self._holding.open() as (_, book, record):
            floors = await book.floors(WHOLE)
            if floors.upserts == NEVER or record.definition != self._definition:
                raise NotProvedError(f"{self._holding.scope} was not proved whole yet: run it whole first")
            taken, self._secret = self._holding.taken(record), record.secret
            run = await book.run(record.pass_) if record.pass_ else None
            if run is None or run.state not in ("running", "paused") or run.definition != self._definition:
                run = replace(self._new(record, floors), before=await book.bounds())
            run = replace(run, state="running", tries=0, why="")
            await book.write(replace(taken, pass_=run.id))
            await book.write_run(run)
        return run

    def _new(self, record: Record, floors: Floors) -> Run:
        now = self._holding.now
        since = since_of(floors.upserts, self._facts)
        return Run(
            id=uuid7(now, self._holding.ports.random.getrandbits(_ID_BITS)),
            mode="changed",
            definition=self._definition,
            started=now,
            merges=record.merges,
            grace=grace_of(record.delays, horizon=micros(self._facts.redelivery_horizon)),
            since=since,
            goes_on=since,
        )

    # pages
    async def _page(self, run: Run) -> Run:
        try:
            read = await self._asking.changed(utc(run.goes_on), run.cursor, self._facts.page_limit, tries=run.tries)
        except NoReadError as error:
            return await self._no_read(run, error)
        self._holding.ports.points.at("reconcile:page-received")
        if loops(run, read.what.next_cursor) or run.pages >= CURSORS_MAX:
            return await self._end(run, "failed", "the cursors go round in circles")
        if run.empty >= EMPTY_MAX and not read.what.rows:
            return await self._end(run, "failed", f"{EMPTY_MAX} pages in a row were empty")
        run = await self._take(run, read)
        self._holding.ports.points.at("reconcile:page-committed")
        if run.is_closing and not run.is_listed:
            return await self._end(run, "incomplete", "more has changed meanwhile than one page shows")
        return run

    async def _take(self, run: Run, read: ReadOf[Page]) -> Run:
        cursor, run = read.what.next_cursor, without_names(run, read.nameless)
        copying = self._copying(self._secret)
        told = copied(copying, read.what.rows, latest=read.latest)
        async with self._holding.held() as (unit, book, record):
            kept = await book.run(run.id)
            if kept is None or (kept.after, kept.pages) != (run.after, run.pages):
                raise LostLeaseError
            known = await book.places([copy.key for copy in told.copies])
            looked = _looked(run, told, known, cursor)
            if looked.doubt:  # its rows are judged where they stood
                told = copied(copying, stood(read.what.rows, known), latest=read.latest)
            elif read.nameless:
                looked = replaced(looked, doubt="key")
            taken = Taken(
                copies=told.copies,
                looked=looked,
                as_of=read.as_of,
                now=self._holding.now,
                control=told.copies[-1].key if told.copies else "",
                unreadable=told.unreadable,
                gone=told.gone,
                why=told.why,
            )
            found = await self._taking.take(book, record, run, taken)
            self._holding.ports.points.at("reconcile:page-judged")
            end = run.after if looked.range.end is None else place_key(looked.range.end)
            record, run = after(record, run, taken, found, cursor=cursor, end=end)
            await carried_out(unit, found.repairs)
            await book.write(record)
            await book.write_run(run)
        return run

    async def _no_read(self, run: Run, error: NoReadError) -> Run:
        if error.why == "authorisation":
            return await self._end(run, "failed", str(error))
        if error.why == "cursor":
            if run.restarts >= RESTARTS:
                return await self._end(run, "failed", "cursors expire too fast")
            return await self._keep(_again(run))
        run = unread(run, error)
        if run.tries >= TRIES:
            return await self._end(run, "paused", str(error))
        await self._holding.ports.clock.sleep(error.wait)
        return await self._keep(run)

    # the end
    async def _settle(self, stopping: asyncio.Event) -> None:
        """Wait until every read shows what those of this pass have shown."""
        left = self._facts.settles / 1_000_000
        while left > 0 and not stopping.is_set():
            await self._holding.ports.clock.sleep(min(left, NAP_SECONDS))
            left -= NAP_SECONDS
            async with self._holding.held() as (_, book, record):
                await book.write(record)

    async def _prove(self, run: Run) -> Run:
        assert run.since is not None
        assert run.first_as_of is not None
        async with self._holding.held() as (_, book, record):
            floors = await book.floors(WHOLE)
            if has_gap(run.since, floors.upserts, self._facts):
                why = "what has changed before this pass was not read"
                return await self._ended(book, record, run, "incomplete", why)
            await self._taking.prove(book, floors, run, run.first_as_of)
            return await self._ended(book, record, run, "done", unread_told(run))

    async def _end(self, run: Run, state: RunState, why: str) -> Run:
        async with self._holding.held() as (_, book, record):
            return await self._ended(book, record, run, state, why)

    async def _ended(self, book: Book, record: Record, run: Run, state: RunState, why: str) -> Run:
        ended = None if state == "paused" else self._holding.now
        run = replace(run, state=state, why=why, ended=ended, bounds=await book.bounds())
        await book.write(record)
        await book.write_run(run)
        return run

    async def _keep(self, run: Run) -> Run:
        async with self._holding.held() as (_, book, record):
            await book.write(record)
            await book.write_run(run)
        return run


def _looked(run: Run, told: Told, known: Mapping[str, bytes], cursor: str | None) -> Looked:
    """Look whether versions rise, or are equal, and whether all items stand where they did. `known`: where that is."""
    is_moved = any(known.get(copy.key, copy.at) != copy.at for copy in told.copies)
    versions = [(copy.version,) for copy in told.copies if copy.version is not None]
    places: list[Place] = [key_place(run.after), *versions]
    is_drift = is_moved or any(one > other for one, other in pairwise(places))
    return Looked(Range(START, None if cursor is None else max(places)), "order" if is_drift else "")


def _closing(run: Run, facts: ProviderFacts) -> Run:
    """Return the run once its last page is to be read. Where reads lag, an item may be shown anew by a fresh one and as
    it was by a stale one, and so slip through between two pages; what one page shows to the end is one state."""
    assert run.first_as_of is not None
    begun = run.first_as_of + facts.tick_us
    return replace(run, is_closing=True, is_listed=False, cursor=None, mark=None, after=b"", goes_on=begun)


def _again(run: Run) -> Run:
    """Return the run without its cursor: it goes on from the last version, and its first page's time still holds."""
    version = key_place(run.after)[0] if run.after and not run.is_closing else run.goes_on
    begun = version if isinstance(version, int) else run.goes_on
    return replace(run, restarts=run.restarts + 1, cursor=None, mark=None, after=b"", goes_on=begun)
