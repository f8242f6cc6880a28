"""Taking in one page of what a receiver lists of what it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tidings.reconciliation.copy.copying import Copied
from tidings.reconciliation.kept.book import Book, Kept
from tidings.reconciliation.kept.coding import Dirty, Finding, Mirrored
from tidings.reconciliation.kept.records import Record, Run
from tidings.reconciliation.outbound.judging import Shown, is_missed, shown
from tidings.reconciliation.outbound.listed import Listed
from tidings.reconciliation.outbound.noting import Noting, known_until
from tidings.reconciliation.outbound.sending import Acknowledged, Findings
from tidings.reconciliation.rules.facts import Capability
from tidings.reconciliation.rules.floors import UNPROVED
from tidings.reconciliation.rules.judging import PUT, Verdict
from tidings.reconciliation.runs.pages import Page, Seen, Taken, There
from tidings.reconciliation.runs.taking import TakingPages
from tidings.store.endpoint_deliveries import EndpointDelivery
from tidings.store.note_store import Span

_VERDICTS = {Shown.EQUAL: Verdict.EQUAL, Shown.PENDING: Verdict.NEWER_HERE, Shown.UNKNOWN: Verdict.NEWER_HERE}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThereSent(There):
    """What is kept of a range. `sent`: what was given up of it, and is shown."""

    sent: Mapping[bytes, EndpointDelivery] = field(default_factory=dict)


class TakingSent(TakingPages):
    """Takes pages in for the scope of an endpoint. `by_key`: the list is ordered by the ids of what was sent."""

    done = "sent again"

    def __init__(self, findings: Findings, noting: Noting, *, by_key: bool, is_whole: bool) -> None:
        super().__init__(Capability.EVENT_TIMED)
        self._findings = findings
        self._noting = noting
        self._by_key = by_key
        self.is_whole = is_whole

    async def prepare(self) -> str:
        """See `Noting.note`."""
        return await self._noting.note()

    def ahead(self, run: Run, seen: Seen) -> Sequence[Span]:
        """See `TakingPages.ahead`."""
        return super().ahead(run, seen) if self._by_key else ()  # a range of its order is none of ours

    def dated(self, record: Record, seen: Seen) -> Seen:
        """See `TakingPages.dated`. Nothing is said of what has closed since it was noted what has."""
        page = seen.shown if self._by_key else replace(seen.shown, ats=[Listed.at(key) for key in seen.shown.keys])
        return replace(seen, as_of=min(seen.as_of, known_until(record)), shown=page)

    async def _there(self, book: Book, record: Record, seen: Seen) -> There:
        places = seen.shown.ats
        if self._by_key:
            kept = (await super()._there(book, record, seen)).kept
        else:  # a range of its order is none of ours
            mirror, open = await book.mirrored(places), await book.open_at(places)
            kept = Kept(mirror=mirror, open=open, suspects={}, key_floors={}, floors=UNPROVED)
        held = ((at, kept.mirror.of(at)) for at in places)
        sent = await book.sent(at for at, each in held if each is not None and each.rank.kind != PUT)
        return ThereSent(kept=kept, sent=sent)

    def judged(self, there: There, run: Run, taken: Taken) -> Page:
        page = Page()
        for copy in taken.copies:
            held = there.kept.mirror.of(copy.at)
            found = shown(copy.hash, None if held is None else held.rank, is_pending=copy.at in there.kept.open)
            page.verdicts[_VERDICTS.get(found, Verdict.REPAIR)] += 1
            if held is not None and found is Shown.OTHER:
                self._conflict(page, held, copy, run, taken)
            if held is not None and found is Shown.GIVEN_UP:
                page.findings.append(self._findings.unexpected(held, run, as_of=taken.as_of, now=taken.now))
                assert isinstance(there, ThereSent)
                if not run.is_dry:
                    page.repairs.append(Acknowledged(there.sent[copy.at]))
        return page

    def _conflict(self, page: Page, held: Mirrored, copy: Copied, run: Run, taken: Taken) -> None:
        found = self._findings.conflict(held, run, hash=copy.hash, as_of=taken.as_of, now=taken.now)
        page.findings.append(found)
        if not run.is_dry:
            page.excepted[held.key] = excepted(held.key, "conflict", now=taken.now)

    def _absent(self, there: There, seen: Seen) -> list[Mirrored]:
        listed, open = {*seen.shown.ats}, there.kept.open
        found = (Mirrored.of(at, body) for at, body in there.kept.mirror.items() if at not in listed)
        return [each for each in found if is_missed(each.rank, as_of=seen.as_of, is_pending=each.at in open)]

    def _extra(self, held: Mirrored, run: Run, there: There, taken: Taken) -> Finding:
        return self._findings.lost(held, run, as_of=taken.as_of, now=taken.now)


def excepted(key: str, reason: str, *, now: int) -> Dirty:
    """Return what says of a key that nothing is said of it until somebody has decided."""
    return Dirty(key=key, reason=reason, since=now, due=now, is_given_up=True)
