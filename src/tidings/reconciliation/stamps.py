"""When a provider made a read, in its own time: from what it says in `Date`, and from how long the call took. Pure.

A read is dated by its start, never by when it was written down: what it shows may be as old as that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from statistics import median_low

from tidings.reconciliation.facts import ProviderFacts, micros
from tidings.reconciliation.floors import NEVER

SECOND = 1_000_000
JUMP = 2 * SECOND
"""How far a `Date` may be off from what the ones before let expect, beside the declared skew."""

AGREEING = 600 * SECOND
"""How long dates that are off must agree before they are believed."""

_RECENT = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call: when it began and ended by a clock that goes on while the machine sleeps, and the provider's answer to
    what time it is, all in µs. `date` None: it did not say."""

    began: int
    ended: int
    date: int | None


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


class Stamps:
    """Dates the reads of one scope. What a later read proves is never less than what one proves that ended before."""

    def __init__(self, facts: ProviderFacts) -> None:
        self._tick = facts.tick_us
        self._margin = margin(facts)
        self._line = Line(JUMP + micros(facts.clock_skew))
        self._least: int | None = None
        self._ended: list[int] = []
        self._proved: list[int] = []

    def stamp(self, asked: Asked, *, least: int = NEVER) -> Stamp | None:
        """Return as of when the read is; None if the answer has no date, or one that jumped: then it counts as no read.

        `least`: what reads of the scope have proved that had ended before this one began, whoever made them.
        """
        if asked.date is None:
            return None
        line = self._line.judge(asked.ended, asked.date)
        if line == "jumped":
            return None
        if line == "new":
            self._forget()
        earliest = asked.date - (asked.ended - asked.began) - self._margin
        known = NEVER if line == "new" else max(self._before(asked.began), least)
        found = max(known, (earliest // self._tick - 1) * self._tick)
        self._remember(asked.ended, found)
        return Stamp(found, is_afresh=line == "new")

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
    """What a provider's clock is off from ours, by its recent answers: one that is far off it is not believed."""

    def __init__(self, tolerance: int) -> None:
        self._tolerance = tolerance
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._doubted: deque[tuple[int, int]] = deque(maxlen=_RECENT)
        self._since: int | None = None

    def judge(self, now: int, date: int) -> str:
        """Return `agrees`, `jumped`, or `new` if this date makes those that jumped believed."""
        offset = date - now
        if not self._recent or abs(offset - median_low(self._recent)) <= self._tolerance:
            self._recent.append(offset)
            self._doubted.clear()
            self._since = None
            return "agrees"
        offsets = [each for _, each in self._doubted]
        if offsets and abs(offset - median_low(offsets)) > self._tolerance:
            self._doubted.clear()
            self._since = None
        self._since = now if self._since is None else self._since
        self._doubted.append((now, offset))
        if now - self._since < AGREEING:
            return "jumped"
        self._recent.clear()
        self._recent.extend(each for _, each in self._doubted)
        self._doubted.clear()
        self._since = None
        return "new"
