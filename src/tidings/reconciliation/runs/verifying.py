"""Asking for single items: those that a list does not show, and those of which an event said too little."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from tidings.reconciliation.copy.copying import Copies, UnreadableError, listed
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Dirty, Suspect, place_key
from tidings.reconciliation.kept.overlapping import begin, end
from tidings.reconciliation.kept.records import KEYS, Record, Run, RunState
from tidings.reconciliation.kept.suspecting import TWICE
from tidings.reconciliation.listing import Answer
from tidings.reconciliation.rules.facts import Capability, Order
from tidings.reconciliation.rules.judging import OUTBOUND, PUT
from tidings.reconciliation.rules.paging import hold_limit
from tidings.reconciliation.runs.answering import Answered, Answers, Followed
from tidings.reconciliation.runs.holding import Holding, breached
from tidings.reconciliation.runs.reading import Asking, NoReadError, ReadOf
from tidings.store.unit import Unit

DAY_US = 86_400_000_000
DIRTY_TRIES = 3
HELD_SECONDS = 60.0
TOO_MANY = "as many were gone today as may be without approval: run it whole"


@dataclass(frozen=True, slots=True)
class _Got:
    """What was read of one item. `ticket`: of the read, where nothing else orders reads."""

    read: ReadOf[Answer]
    ticket: int = 0


class Verifying:
    """Asks for the items of one scope."""

    def __init__(
        self,
        holding: Holding,
        asking: Asking,
        *,
        copying: Callable[[bytes], Copies],
        answering: Answers,
        places: Callable[[str], bytes] | None = None,
    ) -> None:
        """`places`: where a key stands, if that follows from it."""
        self._places = places
        self._listing = asking.listing
        self._holding = holding
        self._copying = copying
        self._answering = answering
        self._asking = asking

    async def suspects(self, run: Run, group: Sequence[Suspect]) -> Run:
        """Ask for a group, and for an item that is certainly there: without its answer none of theirs is believed."""
        answers: list[tuple[Suspect, _Got]] = []
        for suspect in group:
            try:
                answers.append((suspect, await self._get(suspect.key)))
            except NoReadError:
                continue  # it stays suspected
        if answers and run.control and not await self._is_believed(run.control):
            for suspect, got in answers:
                await self._drop(suspect.key, got.ticket)
            await self._holding.breach("control")
            return run
        for suspect, got in answers:
            run = await self._suspect(run, suspect, got)
        return run

    async def dirty(self, *, limit: int = 100) -> int:
        """Read keys that have to be read; return how many were answered."""
        async with self._holding.open() as (_, book, record):
            due = [each for each in await book.dirty() if each.due <= self._holding.now and not each.is_given_up]
            run = None if not record.last else await book.run(record.last)
        done = 0
        for dirty in due[:limit]:
            done += await self._dirty(run or Run(id=KEYS, mode="key", definition=""), dirty)
        return done

    async def one(self, run: Run, key: str, *, control: str) -> Run:
        """Ask for one item, as somebody wants to know."""
        try:
            got = await (self._checked(key, control) if control else self._get(key))
        except NoReadError as error:
            return await self._ended(run, "incomplete", str(error))
        try:
            answered, run = await self._answer_one(run, key, got, control)
        except UnreadableError:
            await self._drop(key, got.ticket)
            answered = None
        if run.why:
            return await self._ended(run, "incomplete", run.why)
        if answered is None and _is_gone(got):
            return await self._ended(replace(run, equal=1), "done", "")
        if answered is None:
            return await self._ended(run, "failed", f"the copy cannot hold {key!r:.80} as the provider shows it")
        return await self._ended(run, "held" if run.held else "done", TOO_MANY if run.held else "")

    async def _answer_one(self, run: Run, key: str, got: _Got, control: str) -> tuple[Answered | None, Run]:
        async with self._holding.open() as (unit, book, record):
            answered = await self._answered(book, record, key, got, None)
            if answered is not None and await self._is_held(book, record, answered):
                run = replace(run, held=(key,))
            elif answered is not None:
                followed = await self._follow_one(book, run, answered, is_only=not control)
                record, run = await self._followed(unit, _proved(record, answered), run, followed)
                run = _counted(run, answered, followed)
                if followed.outcome == "marked":
                    run = replace(run, why=f"it is said to be gone, and {TWICE}")
                await book.write(record)
        return answered, run

    async def _follow_one(self, book: Book, run: Run, answered: Answered, *, is_only: bool) -> Followed:
        """Take in what was said of one item; that it is gone counts only once, where no other is there, for one that
        a list has not shown either: of that it is kept when it was said first."""
        now = self._holding.now
        if not is_only or answered.copy is not None or not await self._is_live(book, answered):
            return await self._answering.one(book, run, answered, now=now)
        suspect = await book.suspect(answered.at)
        if suspect is None:
            return Followed("marked")
        return await self._answering.suspect(book, run, suspect, answered, now=now, is_only=True)

    async def _ended(self, run: Run, state: RunState, why: str) -> Run:
        async with self._holding.open() as (_, book, _record):
            run = replace(run, state=state, why=why, ended=self._holding.now, bounds=await book.bounds())
            await book.write_run(run)
        return run

    # reads
    async def _get(self, key: str, *, tries: int = 0) -> _Got:
        """Read one item, of which no other read is under way where nothing else orders reads. NoReadError."""
        if self._listing.facts.capability is not Capability.BARE:
            return _Got(await self._asking.one(key, tries=tries))
        async with self._holding.open() as (_, book, record):
            ticket = await begin(book, record, key, now=self._holding.now)
        if ticket is None:
            raise NoReadError("reading", "it is being read", 1.0)
        try:
            return _Got(await self._asking.one(key, tries=tries), ticket)
        except NoReadError:
            await self._drop(key, ticket)
            raise

    async def _drop(self, key: str, ticket: int) -> None:
        """End a read of which nothing follows."""
        if ticket:
            async with self._holding.open() as (_, book, record):
                await end(book, record, key, ticket)

    async def _checked(self, key: str, control: str, *, tries: int = 0) -> _Got:
        """Read one item; that it is gone is believed of who says of another one that it is there. NoReadError."""
        got = await self._get(key, tries=tries)
        if got.read.what.row is None and not (control and await self._is_believed(control)):
            await self._drop(key, got.ticket)
            raise NoReadError("control", "of an item that is there it was not said that it is", 1.0)
        return got

    async def _is_believed(self, control: str) -> bool:
        try:
            return (await self._asking.one(control)).what.row is not None
        except NoReadError:
            return False

    async def _is_held(self, book: Book, record: Record, answered: Answered) -> bool:
        """Say whether this would be one more delete than may be without somebody who looks."""
        if answered.copy is not None:
            return False
        recent = sum(n for at, n in record.deletes if at > self._holding.now - DAY_US)
        return await self._is_live(book, answered) and recent >= hold_limit(record.live)

    async def _is_live(self, book: Book, answered: Answered) -> bool:
        held = (await book.mirrored([answered.at])).of(answered.at)
        return held is not None and held.rank.kind == PUT

    # what follows
    async def _suspect(self, run: Run, suspect: Suspect, got: _Got) -> Run:
        try:
            return await self._answer(run, suspect, got)
        except UnreadableError:  # it is there, so it stays as it is until it can be read
            await self._drop(suspect.key, got.ticket)
            return run

    async def _answer(self, run: Run, suspect: Suspect, got: _Got) -> Run:
        async with self._holding.held() as (unit, book, record):
            answered = await self._answered(book, record, suspect.key, got, suspect.at)
            if answered is None:
                return run
            is_only = not run.control
            now, record = self._holding.now, _proved(record, answered)
            followed = await self._answering.suspect(book, run, suspect, answered, now=now, is_only=is_only)
            record, run = await self._followed(unit, record, run, followed)
            await book.write(record)
            await book.write_run(run)
            self._holding.ports.points.at("reconcile:suspect-answered")
        return run

    async def _dirty(self, run: Run, dirty: Dirty) -> bool:
        try:
            got = await self._checked(dirty.key, run.control, tries=dirty.tries)
        except NoReadError as error:
            await self._put_off(dirty, error)
            return False
        try:
            return await self._answer_dirty(run, dirty, got)
        except UnreadableError:
            async with self._holding.open() as (_, book, record):
                await self._answered(book, record, dirty.key, got, None)
                await book.write_dirty({dirty.key: _again(dirty, self._holding.now, 1.0, gives_up=True)})
            return False

    async def _answer_dirty(self, run: Run, dirty: Dirty, got: _Got) -> bool:
        async with self._holding.open() as (unit, book, record):
            answered = await self._answered(book, record, dirty.key, got, None)
            if answered is None and _is_gone(got):  # and nobody here knows of it
                await self._answering.unknown(book, dirty)
                return True
            if answered is None:
                await book.write_dirty({dirty.key: _again(dirty, self._holding.now, 1.0, gives_up=True)})
                return False
            if await self._is_held(book, record, answered):
                await book.write_dirty({dirty.key: _again(dirty, self._holding.now, HELD_SECONDS, gives_up=False)})
                return False
            followed = await self._answering.dirty(book, run, dirty, answered, now=self._holding.now)
            record, _ = await self._followed(unit, _proved(record, answered), run, followed)
            await book.write(record)
        return followed.outcome != "asked-again"

    async def _put_off(self, dirty: Dirty, error: NoReadError) -> None:
        tries = dirty.tries + (error.why not in ("rate", "reading"))
        again = _again(dirty, self._holding.now, error.wait, tries=tries, gives_up=tries >= DIRTY_TRIES)
        async with self._holding.open() as (_, book, _record):
            if (await book.dirty_of([dirty.key])).get(dirty.key) == dirty:
                await book.write_dirty({dirty.key: again})

    async def _answered(self, book: Book, record: Record, key: str, got: _Got, at: bytes | None) -> Answered | None:
        """Return the answer as the copy has it; None if it cannot hold it, or nobody knows where it stands."""
        overlapped = got.ticket > 0 and await end(book, record, key, got.ticket)
        row, copy = got.read.what.row, None
        if row is not None and not _is_gone(got):
            try:
                copy = listed(self._copying(record.secret), row, latest=got.read.latest)
            except UnreadableError:
                return None
        if at is None:
            at = copy.at if copy is not None else await self._place_of(book, key)
        if at is None:
            return None
        as_of, ticket = got.read.as_of, got.ticket
        return Answered(key=key, at=at, copy=copy, as_of=as_of, ticket=ticket, is_overlapped=overlapped)

    async def _place_of(self, book: Book, key: str) -> bytes | None:
        if self._places is not None:
            return self._places(key)
        if self._listing.facts.order is Order.KEY:
            return place_key((key,))
        return (await book.places([key])).get(key)

    async def _followed(self, unit: Unit, record: Record, run: Run, followed: Followed) -> tuple[Record, Run]:
        """Do what follows, and count it."""
        now = self._holding.now
        found = followed.finding
        if found is not None and found.kind in OUTBOUND and found.is_repaired:
            word = f"{found.kind}/{found.cause}"
            record = replace(record, corrections={**record.corrections, word: record.corrections.get(word, 0) + 1})
        if followed.repair is not None:
            await followed.repair.make(unit)
            run = replace(run, appended=run.appended + 1)
        elif found is not None and found.state != "waived":
            run = replace(run, asked=run.asked + 1)
        if followed.outcome in ("gone", "sent"):
            recent = [(at, n) for at, n in record.deletes if at > now - DAY_US]
            record = replace(record, deletes=(*recent, (now, 1)))
        if followed.outcome == "gone":
            self._holding.ports.points.at("reconcile:delete-appended")
            run = replace(run, deleted=run.deleted + 1)
        if followed.outcome == "omitted":
            self._holding.ports.observer.breached(self._holding.scope, "omitted")
            if not run.omitted:  # a list that leaves out many items has lied once
                record = breached(record, "omitted", now)
                run = replace(run, breaches=(*run.breaches, "omitted"))
            run = replace(run, omitted=run.omitted + 1)
        return record, run


def _is_gone(got: _Got) -> bool:
    row = got.read.what.row
    return row is None or row.gone


def _proved(record: Record, answered: Answered) -> Record:
    return replace(record, least=max(record.least, answered.as_of))


def _counted(run: Run, answered: Answered, followed: Followed) -> Run:
    is_equal, is_newer = followed.outcome == "same", followed.outcome == "asked-again"
    return replace(run, rows=int(answered.copy is not None), equal=int(is_equal), newer_here=int(is_newer))


def _again(dirty: Dirty, now: int, wait: float, *, gives_up: bool, tries: int = 0) -> Dirty:
    return replace(dirty, due=now + int(max(wait, 1.0) * 1_000_000), tries=tries, is_given_up=gives_up)
