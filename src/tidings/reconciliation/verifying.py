"""Asking for single items: those that a list does not show, and those of which an event said too little."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from tidings.reconciliation.answering import Answered, Answering, Followed
from tidings.reconciliation.book import Book
from tidings.reconciliation.coding import Dirty, Suspect, place_key
from tidings.reconciliation.copying import Copying, UnreadableError
from tidings.reconciliation.facts import Capability, Order
from tidings.reconciliation.holding import Holding, breached
from tidings.reconciliation.listing import Answer
from tidings.reconciliation.reading import Asking, NoReadError, ReadOf
from tidings.reconciliation.records import Record, Run
from tidings.store.unit import Unit

DAY_US = 86_400_000_000
DIRTY_TRIES = 3


class Verifying:
    """Asks for the items of one scope."""

    def __init__(
        self,
        holding: Holding,
        asking: Asking,
        *,
        copying: Callable[[bytes], Copying],
        answering: Answering,
    ) -> None:
        self._listing = asking.listing
        self._holding = holding
        self._copying = copying
        self._answering = answering
        self._asking = asking

    async def suspects(self, run: Run, group: Sequence[Suspect]) -> Run:
        """Ask for a group, and for an item that is certainly there: without its answer none of theirs is believed."""
        answers: list[tuple[Suspect, ReadOf[Answer]]] = []
        for suspect in group:
            try:
                answers.append((suspect, await self._asking.one(suspect.key)))
            except NoReadError:
                continue  # it stays suspected
        if answers and run.control and not await self._is_believed(run.control):
            await self._holding.breach("control")
            return run
        for suspect, read in answers:
            run = await self._suspect(run, suspect, read)
        return run

    async def dirty(self, *, limit: int = 100) -> int:
        """Read keys that have to be read; return how many were answered."""
        async with self._holding.open() as (_, book, record):
            due = [each for each in await book.dirty() if each.due <= self._holding.now and not each.is_given_up]
            run = None if not record.last else await book.run(record.last)
        done = 0
        for dirty in due[:limit]:
            done += await self._dirty(run or Run(id="keys", mode="run", definition=""), dirty)
        return done

    async def _is_believed(self, control: str) -> bool:
        try:
            return (await self._asking.one(control)).what.row is not None
        except NoReadError:
            return False

    async def _suspect(self, run: Run, suspect: Suspect, read: ReadOf[Answer]) -> Run:
        async with self._holding.held() as (unit, book, record):
            answered = await self._answered(book, record, suspect.key, read, suspect.at)
            if answered is None:
                return run
            is_only = not run.control
            now = self._holding.now
            followed = await self._answering.suspect(book, run, suspect, answered, now=now, is_only=is_only)
            record, run = self._followed(unit, record, run, followed)
            await book.write(record)
            await book.write_run(run)
            self._holding.ports.points.at("reconcile:suspect-answered")
        return run

    async def _dirty(self, run: Run, dirty: Dirty) -> bool:
        is_bare = self._listing.facts.capability is Capability.BARE
        ticket = await self._holding.ticket() if is_bare else 0
        try:
            read = await self._asking.one(dirty.key, tries=dirty.tries)
            if read.what.row is None and run.control and not await self._is_believed(run.control):
                raise NoReadError("control", "an item that is there was said not to be")
        except NoReadError as error:
            await self._put_off(dirty, error)
            return False
        async with self._holding.open() as (unit, book, record):
            answered = await self._answered(book, record, dirty.key, read, None, ticket=ticket)
            if answered is None:
                await book.write_dirty({dirty.key: _again(dirty, self._holding.now, 1.0, gives_up=True)})
                return False
            followed = await self._answering.dirty(book, run, dirty, answered, now=self._holding.now)
            record, _ = self._followed(unit, record, run, followed)
            await book.write(record)
        return followed.outcome != "asked-again"

    async def _put_off(self, dirty: Dirty, error: NoReadError) -> None:
        tries = dirty.tries + (error.why != "rate")
        again = _again(dirty, self._holding.now, error.wait, tries=tries, gives_up=tries >= DIRTY_TRIES)
        async with self._holding.open() as (_, book, _record):
            await book.write_dirty({dirty.key: again})

    async def _answered(
        self, book: Book, record: Record, key: str, read: ReadOf[Answer], at: bytes | None, *, ticket: int = 0
    ) -> Answered | None:
        """Return the answer as the copy has it; None if it cannot hold it, or nobody knows where it stands."""
        row, copy = read.what.row, None
        if row is not None and not row.gone:
            try:
                copy = self._copying(record.secret).listed(row)
            except UnreadableError:
                return None
        if at is None:
            at = copy.at if copy is not None else await self._place_of(book, key)
        return None if at is None else Answered(key=key, at=at, copy=copy, as_of=read.as_of, ticket=ticket)

    async def _place_of(self, book: Book, key: str) -> bytes | None:
        if self._listing.facts.order is Order.KEY:
            return place_key((key,))
        return (await book.places([key])).get(key)

    def _followed(self, unit: Unit, record: Record, run: Run, followed: Followed) -> tuple[Record, Run]:
        """Emit what follows, and count it."""
        now = self._holding.now
        if followed.event is not None and followed.finding is not None:
            unit.emit([followed.event])
            kind = followed.finding.kind
            record = replace(record, corrections={**record.corrections, kind: record.corrections.get(kind, 0) + 1})
            run = replace(run, appended=run.appended + 1)
        if followed.outcome == "gone":
            self._holding.ports.points.at("reconcile:delete-appended")
            recent = [(at, n) for at, n in record.deletes if at > now - DAY_US]
            record = replace(record, deletes=(*recent, (now, 1)))
            run = replace(run, deleted=run.deleted + 1)
        if followed.outcome == "omitted":
            self._holding.ports.observer.breached(self._holding.scope, "omitted")
            if not run.omitted:  # a list that leaves out many items has lied once
                record = breached(record, "omitted", now)
                run = replace(run, breaches=(*run.breaches, "omitted"))
            run = replace(run, omitted=run.omitted + 1)
        return record, run


def _again(dirty: Dirty, now: int, wait: float, *, gives_up: bool, tries: int = 0) -> Dirty:
    return replace(dirty, due=now + int(max(wait, 1.0) * 1_000_000), tries=tries, is_given_up=gives_up)
