"""Taking in one page of a whole list: rows judged, what is absent suspected, floors raised, in one transaction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace as replaced

from msgspec.structs import replace

from tidings.reconciliation.copy.copying import Copied, UnreadableError
from tidings.reconciliation.copy.differing import Differing
from tidings.reconciliation.copy.repairing import Difference, Repairs
from tidings.reconciliation.kept.attributing import told_by
from tidings.reconciliation.kept.book import Book, Mirrors, spans_of_page
from tidings.reconciliation.kept.coding import UNREADABLE, Dirty, Finding, Mirrored, Suspect
from tidings.reconciliation.kept.overlapping import of_page
from tidings.reconciliation.kept.records import Record, Run
from tidings.reconciliation.rules.facts import Capability
from tidings.reconciliation.rules.floors import NEVER, Known
from tidings.reconciliation.rules.judging import PUT, Kind, Read, Verdict, age_of, floor_of, gone, is_absent, judge
from tidings.reconciliation.rules.paging import hold_limit
from tidings.reconciliation.rules.places import WHOLE
from tidings.reconciliation.rules.proofs import Proof
from tidings.reconciliation.runs.counting import counted
from tidings.reconciliation.runs.pages import Page, Seen, Taken, There
from tidings.store.note_store import Alike, Span
from tidings.store.rows import Rank


class TakingPages(ABC):
    """Takes pages in for one scope: what a page is worth, whatever its rows are compared with.

    `repairs`: makes findings of copies; None of what was sent. `done`: what is done about items that are not there.
    `is_whole`: a list of whose pages nothing is known shows what there was at its start all the same.
    """

    repairs: Repairs | None = None
    done = "deleted"
    is_whole = False

    def __init__(self, capability: Capability) -> None:
        self._capability = capability

    async def prepare(self) -> str:
        """Bring up to date what a list is compared with; return why that cannot be, or nothing."""
        return ""

    def dated(self, record: Record, seen: Seen) -> Seen:
        """Return the page as of when it may be said to be, by what is kept here."""
        return seen

    @abstractmethod
    def judged(self, there: There, run: Run, taken: Taken) -> Page:
        """Judge each row of the page."""

    @abstractmethod
    def _absent(self, there: There, seen: Seen) -> list[Mirrored]:
        """Return what a page should show of its range, and does not."""

    @abstractmethod
    def _extra(self, held: Mirrored, run: Run, there: There, taken: Taken) -> Finding:
        """Return the finding of such a one, in a dry run."""

    def ahead(self, run: Run, seen: Seen) -> Sequence[Span]:
        """Return what a page is taken in by, as far as that is known before."""
        return spans_of_page(run.id, seen.looked.range, self._alike(seen))

    def _alike(self, seen: Seen) -> Alike | None:
        """Return what the mirror is to be compared with as a whole; None if each row of it is needed."""
        return None

    async def take(self, book: Book, record: Record, run: Run, seen: Seen) -> tuple[Taken, Page]:
        """Take a page in; the unit holds the scope, and run and record are as they are kept."""
        there = await self._there(book, record, seen)
        if self._capability is Capability.BARE and not run.is_dry:
            there = await self._overlapped(book, there, seen)
        taken = _taken(there, seen)
        page = self.judged(there, run, taken)
        page.verdicts[Verdict.EQUAL] += taken.equal
        absent = [] if run.presence_only or seen.looked.doubt == "key" else self._absent(there, seen)
        for held in [each for each in absent if each.key in there.overlapped]:
            absent.remove(held)
            page.dirty[held.key] = _read_again(held.key, taken)
        page.is_void = bool(
            taken.looked.doubt or run.is_dry or run.presence_only or len(absent) > hold_limit(record.live)
        )
        if run.is_dry:
            page.findings += [self._extra(held, run, there, taken) for held in absent]
            await self._keep(book, page, taken)
            return taken, page
        for held in absent:
            page.suspects[held.at] = Suspect(
                key=held.key, at=held.at, run=run.id, as_of=taken.as_of, ticket=taken.ticket, since=taken.now
            )
        for at, each in page.suspects.items():
            page.suspects[at] = replace(each, epoch=record.epoch).after(there.kept.suspects.get(at))
        if run.presence_only:
            await book.write_seen(run.id, seen.shown.ats)
        else:
            await self._close(book, _answered(there.kept.suspects, seen))
        await self.keep(book, page, taken)
        await book.write_suspects(dict(page.suspects))
        await self.ask(book, taken, page, seen.shown.keys)
        if not page.is_void:
            await self._prove(book, there, run, taken, page)
        return taken, page

    async def keep(self, book: Book, page: Page, taken: Taken) -> None:
        """Keep what was found."""
        await self._keep(book, page, taken)

    async def _keep(self, book: Book, page: Page, taken: Taken) -> None:
        await book.write_findings([*page.findings, *page.noted])

    async def _there(self, book: Book, record: Record, seen: Seen) -> There:
        range, shown = seen.looked.range, seen.shown
        kept = await book.kept(range)
        if seen.looked.doubt:  # its rows are judged all the same, wherever they stand
            outside = [at for at, place in zip(shown.ats, shown.places, strict=True) if place not in range]
            mirror = Mirrors({**kept.mirror, **await book.mirrored(outside)})
            kept = replaced(kept, mirror=mirror, open={**kept.open, **await book.open_at(outside)})
        return There(kept=kept, purged=record.purged)

    async def _overlapped(self, book: Book, there: There, seen: Seen) -> There:
        held = {*(each.key for each in there.kept.mirror.all()), *(each.key for each in there.kept.open.values())}
        keys = {*seen.shown.keys, *held}
        return replaced(there, overlapped=await of_page(book, keys, seen.ticket, now=seen.now))

    async def ask(self, book: Book, taken: Taken, page: Page, keys: Iterable[str]) -> None:
        """Have the keys read of which a page says too little, except those that no read can make readable; what such a
        key was excepted for is over once it is shown as it can be held. `keys`: all that the page shows."""
        given_up = {key: unreadable(key, taken.now) for key in taken.unreadable.values()}
        held: Mapping[str, Dirty] = {}
        if await book.dirty(limit=1):
            asked = page.dirty.keys() | page.excepted.keys() | given_up.keys()
            held = await book.dirty_of({*keys} - asked)
        over = [key for key, each in held.items() if each.is_given_up]
        await book.write_dirty({**dict.fromkeys(over), **given_up, **page.excepted, **page.dirty})
        open = (
            (await book.open_findings(WHOLE)).values() if over else ()
        )  # of this page, or not merged since one before
        repairs = {each.key: f"f:{each.id}" for each in open if each.state == "open"}
        for key in over:
            await book.answer(f"d:{key}", then=repairs.get(key))

    async def _close(self, book: Book, older: Mapping[bytes, Suspect]) -> None:
        """Forget what was suspected of this range before, with the proofs that waited for it."""
        await book.void(f"s:{each.key}" for each in older.values())
        await book.write_suspects(dict.fromkeys(older))

    async def _prove(self, book: Book, there: There, run: Run, taken: Taken, page: Page) -> None:
        range, as_of = taken.looked.range, taken.as_of
        open = {f"f:{each.id}" for each in (*there.kept.open.values(), *page.findings) if each.state == "open"}
        read = {f"d:{key}" for key in page.dirty} | ({counted(run.id)} if run.total is not None else set())
        absent = {f"s:{each.key}" for each in page.suspects.values()}
        raised = there.kept.floors.raised(range, Known(put=as_of, delete=as_of))
        proof = Proof(range, as_of, frozenset(open | read), frozenset(open | read | absent))
        told = await book.prove(f"{run.id}.{run.pages:08d}", proof, raised)
        await book.write_floors(there.kept.floors, told)
        passed = {at: None for at, floor in there.kept.key_floors.items() if floor <= as_of}
        await book.write_key_floors(dict(passed))


class Taking(TakingPages):
    """Takes pages in for the scope of a copy."""

    def __init__(self, capability: Capability, repairs: Repairs, differing: Differing, *, by_key: bool) -> None:
        super().__init__(capability)
        self._by_key = by_key
        self._differing = differing
        self.repairs: Repairs = repairs

    def _alike(self, seen: Seen) -> Alike | None:
        is_whole = self._by_key and self._capability is not Capability.BARE and not seen.looked.doubt
        return seen.shown.alike() if is_whole else None

    async def keep(self, book: Book, page: Page, taken: Taken) -> None:
        """Keep what was found. What an event had told too little of has been told."""
        asked = await book.dirty_of(each.key for each in page.findings)
        page.findings = [told_by(each, asked.get(each.key)) for each in page.findings]
        await self._keep(book, page, taken)
        await book.watch(page.findings, by_key=self._capability is Capability.BARE)

    async def _keep(self, book: Book, page: Page, taken: Taken) -> None:
        copies = {copy.key: copy for copy in taken.copies} if page.findings else {}
        page.findings = await self._differing.of(book, page.findings, copies)
        await super()._keep(book, page, taken)

    def judged(self, there: There, run: Run, taken: Taken) -> Page:
        """Judge each row of the page."""
        page = Page()
        is_bare = self._capability is Capability.BARE  # where another read of the key comes before what this one shows
        for copy in taken.copies:
            if not is_bare and there.shows(copy):
                page.verdicts[Verdict.EQUAL] += 1
                continue
            base = there.base(copy.at)
            known = there.kept.floors.at(copy.place)
            floor = floor_of(known, there.kept.key_floors.get(copy.at, NEVER), base)
            read = Read(
                hash=copy.hash,
                as_of=taken.as_of,
                version=copy.version,
                ticket=taken.ticket,
                is_overlapped=copy.key in there.overlapped,
            )
            found = judge(read, base, floor, self._capability)
            page.verdicts[found.verdict] += 1
            if found.verdict is Verdict.READ_AGAIN:
                page.dirty[copy.key] = _read_again(copy.key, taken)
            if found.verdict is Verdict.REPAIR:
                assert found.kind is not None
                assert found.rank is not None
                age = age_of(read, found.rank)
                difference = Difference(found.kind, copy.key, copy.at, found.rank, base, age, there.purged)
                try:
                    self._repair(page, run, copy, difference, now=taken.now)
                except UnreadableError as error:
                    page.excepted[copy.key] = unreadable(copy.key, taken.now)
                    page.why = page.why or str(error)
                if _was_told(copy, base, known):
                    false = replaced(difference, kind=Kind.ASOF_FALSE)
                    page.noted.append(self.repairs.noted(false, run, now=taken.now))
        return page

    def _repair(self, page: Page, run: Run, copy: Copied, difference: Difference, *, now: int) -> None:
        """Add a finding, and the event that repairs it."""
        if run.is_dry:
            finding = self.repairs.finding(difference, run, now=now)
        else:
            time = copy.version if copy.version is not None and copy.version > 0 else difference.rank.at
            finding, repair = self.repairs.repaired(difference, run, copy.row, now=now, time=min(time, now))
            page.repairs.append(repair)
        page.findings.append(finding)

    def _absent(self, there: There, seen: Seen) -> list[Mirrored]:
        found = []
        held = there.kept.mirror.keys() | there.kept.open.keys()  # none of a page that is alike
        for at in sorted(held - {*seen.shown.ats}) if held else ():
            base = there.base(at)
            if base is None or base.kind != PUT:
                continue
            if is_absent(base, as_of=seen.as_of, ticket=seen.ticket, capability=self._capability):
                found.append(Mirrored(there.key(at), at, base))
        return found

    def _extra(self, held: Mirrored, run: Run, there: There, taken: Taken) -> Finding:
        rank = gone(taken.as_of, taken.ticket, self._capability)
        difference = Difference(Kind.EXTRA, held.key, held.at, rank, held.rank, purged=there.purged)
        return self.repairs.finding(difference, run, now=taken.now)


def _taken(there: There, seen: Seen) -> Taken:
    """Return a page with copies of what the mirror does not hold, and will go on to hold, as it is."""
    shown = seen.shown
    kept = there.kept
    told = seen.told([] if kept.is_alike else shown.unlike(kept.mirror, but=kept.open, apart=there.overlapped))
    return Taken(
        copies=told.copies,
        looked=seen.looked,
        as_of=seen.as_of,
        ticket=seen.ticket,
        now=seen.now,
        equal=len(shown.rows) - len(told.copies) - len(told.unreadable),
        control=shown.control,
        unreadable=told.unreadable,
        why=told.why,
    )


def _answered(older: Mapping[bytes, Suspect], seen: Seen) -> Mapping[bytes, Suspect]:
    """Return what suspicions a page decides: where a row has no key, it says nothing of what it does not show."""
    if seen.looked.doubt != "key":
        return older
    return {at: older[at] for at in seen.shown.ats if at in older}


def unreadable(key: str, now: int) -> Dirty:
    """Return what is kept of a key of which no read can be taken in."""
    return Dirty(key=key, reason=UNREADABLE, since=now, due=now, is_given_up=True)


def _read_again(key: str, taken: Taken) -> Dirty:
    return Dirty(key=key, reason="overlap", since=taken.now, due=taken.now)


def _was_told(copy: Copied, base: Rank | None, known: Known) -> bool:
    """Say whether it was told that the copy has this state, or a later one, which it has not. As long as its
    tombstone is there that is not said of an item that was deleted since, and is back as it was."""
    if copy.version is None or copy.version > known.shown_put:
        return False
    return base is None or base.at < copy.version
