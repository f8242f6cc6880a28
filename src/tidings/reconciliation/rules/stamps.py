"""When a provider made a read, in its own time: from what it says in `Date`, and from how long the call took. Pure.

A read is dated by its start, never by when it was written down: what it shows may be as old as that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

import msgspec

from tidings.reconciliation.rules.facts import ProviderFacts, micros
from tidings.reconciliation.rules.floors import NEVER

SECOND = 1_000_000
JUMP = 2 * SECOND
"""How far a `Date` may be off from what the ones before let expect, beside the declared skew."""

AGREEING = 600 * SECOND
"""How long dates that are off must agree before they are believed."""

AHEAD = 300 * SECOND
"""How far a `Date` may be ahead of our own wall clock, beside the declared skew, whatever it was before."""

_RECENT = 15

Span = tuple[int, int]
"""At least, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call: when it began and ended by a clock that goes on while the machine sleeps, what our wall clock said when
    it ended, and the provider's answer to what time it is, all in µs. `date` None: it did not say."""

    began: int
    ended: int
    wall: int
    date: int | None


class Agreed(msgspec.Struct, frozen=True):
    """What a provider's clock is off from ours, as recent dates agree, µs, so that a new process begins with it.

    `doubted`: what later ones say instead, `since` then.
    """

    off: Span
    doubted: Span | None = None
    since: int = 0

    def moved(self, by: int) -> Agreed:
        """Return the same against a clock of ours that is behind by so much."""
        doubted = None if self.doubted is None else _moved(self.doubted, by)
        return Agreed(_moved(self.off, by), doubted, 0 if doubted is None else self.since - by)

    def is_news(self, before: Agreed | None) -> bool:
        """Say whether it has to be kept in place of what is."""
        if before is None or (before.doubted is None) != (self.doubted is None):
            return True
        return abs(before.since - self.since) > SECOND or _apart(before.off, self.off) > SECOND


@dataclass(frozen=True, slots=True)
class Stamp:
    """As of when a read is: the start of the last tick that had certainly closed before the provider made it, µs.

    `is_afresh`: the provider's clock was set, so that what reads proved before says nothing of later ones.
    """

    as_of: int
    is_afresh: bool = False


def margin(facts: ProviderFacts) -> int:
    """Return how far a read may lie behind its answer's date, µs: the date has whole seconds, and some round up."""
    return SECOND + micros(facts.clock_skew) + micros(facts.replica_lag)


def latest(now: int, facts: ProviderFacts) -> int:
    """Return the last tick that a stamp is believed to be of when a provider says that it is `now`, in whole seconds:
    one more than its clocks can have come to; µs."""
    return (now + SECOND + micros(facts.clock_skew)) // facts.tick_us * facts.tick_us + facts.tick_us


def most_ahead(facts: ProviderFacts) -> int:
    """Return how far a `Date` may be ahead of our own wall clock, µs."""
    return AHEAD + micros(facts.clock_skew)


def may_be_ahead(line: Agreed | None, facts: ProviderFacts) -> int:
    """Return how far what is proved may be ahead of our wall clock, µs: as far as the provider's own clock is, by which
    bounds are. `line`: what that is off by."""
    return JUMP + micros(facts.clock_skew) + (0 if line is None else max(0, line.off[1]))


def surely_ahead(line: Agreed | None, facts: ProviderFacts) -> int:
    """Return how far a provider's clock is ahead of ours at least, beyond what is declared of it, µs."""
    return 0 if line is None else max(0, line.off[0] - micros(facts.clock_skew))


class Stamps:
    """Dates the reads of one scope. What a later read proves is never less than what one proves that ended before."""

    def __init__(self, facts: ProviderFacts) -> None:
        self._tick = facts.tick_us
        self._margin = margin(facts)
        self._ahead = most_ahead(facts)
        self._tolerance = JUMP + micros(facts.clock_skew)
        self._line: Line | None = None
        self._least: int | None = None
        self._ended: list[int] = []
        self._proved: list[int] = []

    def stamp(self, asked: Asked, *, least: int = NEVER, kept: Agreed | None = None) -> Stamp | None:
        """Return as of when the read is; None if the answer has no date, one that jumped, or one that is further ahead
        of our own clock than any is believed to be: then it counts as no read.

        `least`: what reads of the scope have proved that had ended before this one began, whoever made them; one that
        is further ahead was made by a clock that was wrong. `kept`: what the provider's clock was off by, for the first
        call.
        """
        if asked.date is None or asked.date - asked.wall > self._ahead:
            return None
        if self._line is None:
            self._line = Line(self._tolerance, None if kept is None else kept.moved(asked.wall - asked.ended))
        line = self._line.judge(asked.began, asked.ended, asked.date, ours=asked.wall)
        if line == "jumped":
            return None
        known = max(self._before(asked.began), least)
        is_afresh = line == "new" or known - asked.wall > self._ahead
        if is_afresh:
            self._forget()
            known = NEVER
        earliest = asked.date - (asked.ended - asked.began) - self._margin
        found = max(known, (earliest // self._tick - 1) * self._tick)
        self._remember(asked.ended, found)
        return Stamp(found, is_afresh=is_afresh)

    def agreed(self, asked: Asked) -> Agreed | None:
        """Return what the provider's clock is off from our wall clock, once this call was stamped."""
        found = None if self._line is None else self._line.agreed
        return None if found is None else found.moved(asked.ended - asked.wall)

    def _before(self, began: int) -> int:
        """Return the highest stamp of the reads that had ended by then."""
        place = bisect_right(self._ended, began)
        known = self._proved[place - 1] if place else None
        return max((each for each in (known, self._least) if each is not None), default=NEVER)

    def _remember(self, ended: int, proved: int) -> None:
        place = bisect_right(self._ended, ended)
        if place and self._proved[place - 1] >= proved:
            return
        self._ended.insert(place, ended)
        self._proved.insert(place, proved)
        while place + 1 < len(self._proved) and self._proved[place + 1] <= proved:
            del self._ended[place + 1], self._proved[place + 1]
        if len(self._ended) > 1_000:  # no call takes as long as the first half of so many
            self._least = self._proved[499]
            del self._ended[:500], self._proved[:500]

    def _forget(self) -> None:
        self._ended.clear()
        self._proved.clear()
        self._least = None


class Line:
    """What a provider's clock is off from ours, by its recent answers: one that is far off it is not believed.

    Of a slow call nobody knows when its date was made: it is off by something between what it was when the call began,
    and when it ended.
    """

    def __init__(self, tolerance: int, kept: Agreed | None = None) -> None:
        self._tolerance = tolerance
        doubted = None if kept is None else kept.doubted
        self._recent: deque[Span] = deque([] if kept is None else [kept.off], maxlen=_RECENT)
        self._doubted: deque[Span] = deque([] if doubted is None else [doubted], maxlen=_RECENT)
        self._since = None if kept is None or doubted is None else kept.since

    @property
    def agreed(self) -> Agreed | None:
        """What is kept of it; None before the first answer."""
        if not self._recent:
            return None
        doubted = _middle(self._doubted) if self._doubted else None
        return Agreed(_middle(self._recent), doubted, self._since or 0)

    def judge(self, began: int, now: int, date: int, *, ours: int) -> str:
        """Return `agrees`, `jumped`, or `new` if this date makes those that jumped believed. `ours`: our wall clock."""
        off = (date - now, date - began)
        if not self._recent:
            return self._first(off, is_ahead=date - ours > self._tolerance)
        if _apart(off, _middle(self._recent)) <= self._tolerance:
            self._recent.append(off)
            self._doubted.clear()
            self._since = None
            return "agrees"
        if self._doubted and _apart(off, _middle(self._doubted)) > self._tolerance:
            self._doubted.clear()
            self._since = None
        self._since = now if self._since is None else self._since
        self._doubted.append(off)
        if now - self._since < AGREEING:
            return "jumped"
        self._recent.clear()
        self._recent.extend(self._doubted)
        self._doubted.clear()
        self._since = None
        return "new"

    def _first(self, off: Span, *, is_ahead: bool) -> str:
        """Judge while nothing is known of the provider's clock: one ahead of ours is believed once the next one agrees.

        One wrong date would prove what is still to come, and all later ones would be held against it.
        """
        before = [each for each in self._doubted if _apart(off, each) <= self._tolerance]
        self._doubted.clear()
        if is_ahead and not before:
            self._doubted.append(off)
            return "jumped"
        self._recent.extend((*before, off))
        return "agrees"


def _middle(spans: Sequence[Span]) -> Span:
    return median_low(least for least, _ in spans), median_low(most for _, most in spans)


def _apart(a: Span, b: Span) -> int:
    """Return how far two spans are from each other; 0 where they touch."""
    return max(0, a[0] - b[1], b[0] - a[1])


def _moved(span: Span, by: int) -> Span:
    return span[0] + by, span[1] + by
