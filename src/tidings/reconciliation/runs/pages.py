"""A page of a list: as it was read, as it is taken in, what it is judged by, and what came of it for its run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from tidings.reconciliation.copy.copying import Copied, Told
from tidings.reconciliation.copy.repairing import Repair
from tidings.reconciliation.copy.showing import Shown
from tidings.reconciliation.kept.book import Kept, newer
from tidings.reconciliation.kept.coding import UNREADABLE, Dirty, Finding, Mirrored, Suspect
from tidings.reconciliation.kept.records import Record, Run
from tidings.reconciliation.listing import Row
from tidings.reconciliation.rules.floors import NEVER
from tidings.reconciliation.rules.judging import OUTBOUND, Verdict
from tidings.reconciliation.rules.paging import Looked, marked
from tidings.reconciliation.runs.holding import breached
from tidings.store.rows import Rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A page of a whole list as it was read. `told`: makes copies of those of its rows that have to be judged."""

    shown: Shown
    looked: Looked
    as_of: int
    ticket: int
    now: int
    told: Callable[[Sequence[Row]], Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A page as it is taken in. `copies`: its rows, but for so many of a whole list that are `equal` to the copy.

    `unreadable`: the keys of rows that the copy cannot hold, by their places, and `why` the first one; `gone`: those of
    rows listed as deleted, of a page of what has changed; `control`: the key of a row that it shows.
    """

    copies: Sequence[Copied]
    looked: Looked
    as_of: int
    ticket: int = 0
    now: int = 0
    equal: int = 0
    control: str = ""
    unreadable: Mapping[bytes, str] = field(default_factory=dict)
    gone: Sequence[str] = ()
    why: str = ""


@dataclass(slots=True)
class Page:
    """What came of a page. `noted`: findings that nothing repairs: here of what was told falsely. `excepted`: keys of
    which nothing is said until somebody has decided, or can read them, and `why` the first of these cannot be."""

    findings: list[Finding] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)
    dirty: dict[str, Dirty] = field(default_factory=dict)
    excepted: dict[str, Dirty] = field(default_factory=dict)
    suspects: dict[bytes, Suspect] = field(default_factory=dict)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    noted: list[Finding] = field(default_factory=list)
    omitted: int = 0
    why: str = ""
    is_void: bool = False

    @property
    def unreadable(self) -> Collection[str]:
        """The keys of items that no event can tell of."""
        return [key for key, each in self.excepted.items() if each.reason == UNREADABLE]


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """What a page is judged by. `overlapped`: the keys that were read while it was."""

    kept: Kept
    purged: int = 0
    overlapped: frozenset[str] = frozenset()

    def base(self, at: bytes) -> Rank | None:
        """Return what the mirror will hold at a place."""
        return newer(self.kept.mirror.of(at), self.kept.open.get(at))

    def key(self, at: bytes) -> str:
        """Return the key that stands at a place, in the mirror or once a repair is merged."""
        body = self.kept.mirror.get(at)
        return self.kept.open[at].key if body is None else Mirrored.of(at, body).key

    def shows(self, copy: Copied) -> bool:
        """Say whether the mirror holds this state already, and will go on to."""
        body = self.kept.mirror.get(copy.at)
        return body is not None and Mirrored.shows(body, copy.hash) and copy.at not in self.kept.open


def _is_drift(run: Run, looked: Looked) -> bool:
    """Say whether a page has shown that no page of this run proves anything any more. A pass over changes is one proof,
    so a page that proves nothing leaves none of it."""
    return looked.doubt == "order" or (looked.doubt != "" and run.mode == "changed")


def loops(run: Run, cursor: str | None) -> bool:
    """Say whether a page leads to where the run was before."""
    return cursor is not None and cursor in (run.cursor, run.mark)


def after(record: Record, run: Run, taken: Taken, page: Page, *, cursor: str | None, end: bytes) -> tuple[Record, Run]:
    """Return the scope and the run once a page is taken in. `end`: where its range ends."""
    verdicts, is_last = page.verdicts, cursor is None
    found = sum(each.state != "waived" for each in page.findings)  # of such a one nothing follows
    doubts = (*([taken.looked.doubt] if taken.looked.doubt else []), *["omitted"] * page.omitted)
    news = [each for each in dict.fromkeys(doubts) if each not in run.breaches]  # however many pages show it
    run = replace(
        run,
        cursor=cursor,
        mark=marked(run.mark, cursor, run.pages + 1),
        after=run.after if is_last else end,
        is_listed=is_last,
        pages=run.pages + 1,
        empty=run.empty + 1 if not taken.control else 0,
        rows=run.rows + len(taken.copies) + taken.equal,
        equal=run.equal + verdicts[Verdict.EQUAL],
        old=run.old + verdicts[Verdict.OLD],
        newer_here=run.newer_here + verdicts[Verdict.NEWER_HERE],
        appended=run.appended + len(page.repairs),
        proposed=run.proposed + (found if run.is_dry else 0),
        asked=run.asked + (0 if run.is_dry else found - len(page.repairs)),
        suspects=run.suspects + len(page.suspects),
        unreadable=run.unreadable + len({*taken.unreadable.values(), *page.unreadable}),
        unread=run.unread or taken.why or page.why,
        omitted=run.omitted + page.omitted,
        presence_only=run.presence_only or ("drift" if _is_drift(run, taken.looked) else ""),
        control=taken.control or run.control,
        first_as_of=taken.as_of if run.first_as_of is None else run.first_as_of,
        first_ticket=run.first_ticket or taken.ticket,
        breaches=(*run.breaches, *news),
        tries=0,
    )
    made = Counter(record.corrections)
    made.update(f"{each.kind}/{each.cause}" for each in page.findings if each.kind in OUTBOUND and each.is_repaired)
    for doubt in doubts:
        record = breached(record, doubt, taken.now)
    violations, least = record.violations + len(page.noted), max(record.least, NEVER if run.is_dry else taken.as_of)
    return replace(record, corrections=dict(made), violations=violations, least=least), run
