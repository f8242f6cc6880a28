"""Taking in one page of what a party lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replaced

from msgspec.structs import replace

from tidings.reconciliation.copy.copying import Copied, UnreadableError
from tidings.reconciliation.kept.book import Book, Kept
from tidings.reconciliation.kept.coding import UNREADABLE, Dirty, Finding, Mirrored, Suspect
from tidings.reconciliation.kept.records import Record, Run
from tidings.reconciliation.outbound.listed import Listed
from tidings.reconciliation.outbound.party.deciding import Deciding, Read, follows
from tidings.reconciliation.outbound.party.expected import NOTHING, Expectations, Expected
from tidings.reconciliation.outbound.party.knowing import Knowing
from tidings.reconciliation.outbound.party.policy import Shown, shown
from tidings.reconciliation.outbound.party.pushing import KEY_LIFE, acknowledged
from tidings.reconciliation.outbound.taking import excepted
from tidings.reconciliation.rules.facts import Capability
from tidings.reconciliation.rules.floors import UNPROVED
from tidings.reconciliation.rules.judging import Verdict
from tidings.reconciliation.runs.pages import Page, Seen, Taken, There
from tidings.reconciliation.runs.taking import TakingPages
from tidings.store.note_store import Span

EXTRA = -1
"""The ticket of a suspect that is there, has our mark, and is not expected."""
_VERDICTS = {Shown.EQUAL: Verdict.EQUAL, Shown.PENDING: Verdict.NEWER_HERE}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThereHeld(There):
    """What is kept of a range. `expected`: of what its page does not show as it should be, by place; `pending`: of
    these a delivery is open; `missing`: these are not listed."""

    expected: Mapping[bytes, Expected] = field(default_factory=dict)
    pending: frozenset[bytes] = frozenset()
    missing: Sequence[bytes] = ()
    secret: bytes = b""


@dataclass(slots=True)
class HeldPage(Page):
    """What came of a page. `expected`: from now on, by place; `closed`: what was found before at places of which it is
    known now, with what is to be waited for in its stead."""

    expected: dict[bytes, Expected] = field(default_factory=dict)
    closed: dict[bytes, tuple[Finding, Finding | None]] = field(default_factory=dict)
    settled: dict[bytes, str] = field(default_factory=dict)


class TakingHeld(TakingPages):
    """Takes pages in for the scope of a party. `by_key`: the list is ordered by the keys of items."""

    done = "pushed again"

    def __init__(self, scope: str, deciding: Deciding, knowing: Knowing, *, by_key: bool, is_whole: bool) -> None:
        super().__init__(Capability.EVENT_TIMED)
        self._scope = scope
        self._deciding = deciding
        self._knowing = knowing
        self._by_key = by_key
        self.is_whole = is_whole

    async def prepare(self) -> str:
        """See `Knowing.know`."""
        return await self._knowing.know()

    def ahead(self, run: Run, seen: Seen) -> Sequence[Span]:
        """See `TakingPages.ahead`."""
        return super().ahead(run, seen) if self._by_key else ()  # a range of its order is none of ours

    def dated(self, record: Record, seen: Seen) -> Seen:
        """See `TakingPages.dated`. Nothing is said of what was decided or begun since the run was."""
        page = seen.shown if self._by_key else replaced(seen.shown, ats=[Listed.at(key) for key in seen.shown.keys])
        return replaced(seen, as_of=min(seen.as_of, self._knowing.until(record)), shown=page)

    async def _there(self, book: Book, record: Record, seen: Seen) -> There:
        page = seen.shown
        if self._by_key:
            kept = (await super()._there(book, record, seen)).kept
        else:  # a range of its order is none of ours
            mirror, open = await book.mirrored(page.ats), await book.open_at(page.ats)
            kept = Kept(mirror=mirror, open=open, suspects={}, key_floors={}, floors=UNPROVED)
        contents = dict(zip(page.ats, page.contents, strict=True))
        unlike = {at for at, body in kept.mirror.items() if body[Mirrored.CONTENT] != contents.get(at)}
        expectations = Expectations(book.unit, self._scope)
        expected = await expectations.at({*unlike, *kept.open})
        return ThereHeld(
            kept=kept,
            expected=expected,
            pending=await expectations.pending(expected),
            missing=sorted(unlike - contents.keys()),
            secret=record.secret,
        )

    def judged(self, there: There, run: Run, taken: Taken) -> Page:
        assert isinstance(there, ThereHeld)
        page = HeldPage()
        for copy in taken.copies:
            self._read_one(page, there, run, self._read(there, taken, copy.key, copy.at, copy))
        if taken.looked.doubt or not self._by_key:
            return page  # nothing follows from what it does not show
        for at in there.missing:
            held = there.expected.get(at)
            if held is not None and at not in taken.unreadable:
                self._read_one(page, there, run, self._read(there, taken, held.key, at, None))
        return page

    def _read(self, there: ThereHeld, taken: Taken, key: str, at: bytes, copy: Copied | None) -> Read:
        return Read(
            key=key,
            at=at,
            row=None if copy is None else copy.row,
            hash=NOTHING if copy is None else copy.hash,
            as_of=taken.as_of,
            now=taken.now,
            secret=there.secret,
        )

    def _read_one(self, page: HeldPage, there: ThereHeld, run: Run, read: Read) -> None:
        try:
            self._judge(page, there, run, read)
        except UnreadableError as error:
            page.excepted[read.key] = excepted(read.key, UNREADABLE, now=read.now)
            page.why = page.why or str(error)

    def _judge(self, page: HeldPage, there: ThereHeld, run: Run, read: Read) -> None:
        held = there.expected.get(read.at)
        found = shown(read.hash, held, as_of=read.as_of, is_pending=read.at in there.pending)
        if read.row is not None:
            page.verdicts[_VERDICTS.get(found, Verdict.REPAIR)] += 1
        if found is Shown.PENDING or found is Shown.ABSENT:  # that is asked for
            return
        if found is Shown.EQUAL:
            if held is not None:
                self._equal(page, there, held, read)
            return
        if found is Shown.EXTRA and self._deciding.is_marked(read.row) and not run.is_dry:
            suspect = Suspect(key=read.key, at=read.at, run=run.id, as_of=read.as_of, ticket=EXTRA, since=read.now)
            page.suspects[read.at] = suspect
            return
        then = follows(self._deciding, found, held, read, run)
        if then.is_read_first:
            page.dirty[read.key] = Dirty(key=read.key, reason=KEY_LIFE, since=read.now, due=read.now)
        if then.finding is not None:
            page.findings.append(then.finding)
            self._supersede(page, there, read.at, then.finding)
        if run.is_dry:
            return
        if then.repair is not None:
            page.repairs.append(then.repair)
        if then.expected is not None:
            page.expected[read.at] = then.expected
        if then.asks:
            page.excepted[read.key] = excepted(read.key, then.asks, now=read.now)

    def _equal(self, page: HeldPage, there: ThereHeld, held: Expected, read: Read) -> None:
        base = None if read.row is None else self._deciding.fields_of(read.row, read.secret)
        page.settled[read.at] = held.key
        if read.at in there.kept.open:
            page.closed[read.at] = there.kept.open[read.at], None
        if not held.is_settled:
            page.expected[read.at] = held.acknowledged(base, now=read.now)

    def _supersede(self, page: HeldPage, there: ThereHeld, at: bytes, finding: Finding) -> None:
        before = there.kept.open.get(at)
        if before is not None and before.id != finding.id:
            page.closed[at] = before, finding

    async def keep(self, book: Book, page: Page, taken: Taken) -> None:
        """Keep what was found, and what is expected from now on."""
        await self._keep(book, page, taken)
        assert isinstance(page, HeldPage)
        await Expectations(book.unit, self._scope).write(page.expected)
        for at, key in page.settled.items():
            await acknowledged(book, at, key)
        for before, then in page.closed.values():
            await superseded(book, before, then)

    async def _prove(self, book: Book, there: There, run: Run, taken: Taken, page: Page) -> None:
        assert isinstance(page, HeldPage)
        open = {at: each for at, each in there.kept.open.items() if at not in page.closed}
        await super()._prove(book, replaced(there, kept=replaced(there.kept, open=open)), run, taken, page)

    def _absent(self, there: There, seen: Seen) -> list[Mirrored]:
        assert isinstance(there, ThereHeld)
        found = []
        for at in there.missing:
            held = there.expected.get(at)
            if held is None:
                continue
            what = shown(NOTHING, held, as_of=seen.as_of, is_pending=at in there.pending)
            if what is Shown.ABSENT:
                found.append(held.mirrored(at))
        return found

    def _extra(self, held: Mirrored, run: Run, there: There, taken: Taken) -> Finding:
        assert isinstance(there, ThereHeld)
        read = self._read(there, taken, held.key, held.at, None)
        finding = self._deciding.absent(there.expected[held.at], read, run).finding
        assert finding is not None
        return finding


async def superseded(book: Book, before: Finding, then: Finding | None) -> None:
    """Close what was found before, as something else is to be waited for. `then`: None if it is as it should be."""
    if then is not None and before.state != "merged":
        await book.write_findings([replace(before, state="waived")])
    await book.answer(f"f:{before.id}", then=f"f:{then.id}" if then is not None and then.state == "open" else None)
