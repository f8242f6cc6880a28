"""How many dead letters there are, counted in one way wherever it is shown: one is one until it is handled or dropped.

That it is tried again changes the state of its subject, and no number of dead letters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tidings.store.driver import StoreDriver
from tidings.store.letters import COUNTED, DeadCount
from tidings.store.parking import Parked
from tidings.wording import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What is parked. `letters`: the dead letters, which are the entries of all these subjects.

    `dead`: subjects that wait for an operator; `retrying`: those that are tried again by themselves.
    """

    letters: int
    dead: int
    retrying: int

    @property
    def parked(self) -> int:
        """All subjects."""
        return self.dead + self.retrying


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The dead letters of all kinds. `parked`: those of handlers and folds."""

    parked: Counts
    others: DeadCount

    @property
    def letters(self) -> int:
        """All of them."""
        return self.parked.letters + self.others.deliveries + self.others.receipts

    @property
    def is_at_least(self) -> bool:
        """Whether there may be more of them, since one kind was not counted to its end."""
        return COUNTED in (self.others.deliveries, self.others.receipts)

    @property
    def need_somebody(self) -> bool:
        """Whether any waits for an operator: nothing but a subject is tried again by itself."""
        return bool(self.parked.dead or self.others.deliveries or self.others.receipts)


def count(parked: Iterable[Parked]) -> Counts:
    """Count what is parked."""
    found = tuple(parked)
    dead = sum(each.state == "dead" for each in found)
    return Counts(letters=sum(each.entries for each in found), dead=dead, retrying=len(found) - dead)


NONE = Totals(parked=count(()), others=DeadCount())
"""As shown to whom none may be shown."""


async def total(store: StoreDriver) -> Totals:
    """Count the dead letters of all kinds."""
    return Totals(parked=count(await store.parked()), others=await store.count_letters())


def shown(number: int, *, is_at_least: bool) -> str:
    """Return a number that may not have been counted to its end."""
    return f"{number:,}{'+' if is_at_least else ''}"


def letters_told(counts: Counts) -> str:
    """Return in words how many dead letters there are, and in which states their subjects are."""
    return f"{counted(counts.letters, 'dead letter')} of {_subjects_told(counts)}"


def totals_told(totals: Totals) -> str:
    """Return in words how many there are: as `letters_told` if all are of handlers, else with those of each kind."""
    others = (("delivery", "deliveries", totals.others.deliveries), ("receipt", "receipts", totals.others.receipts))
    kinds = [
        f"{shown(number, is_at_least=number == COUNTED)} {one if number == 1 else many}"
        for one, many, number in others
        if number
    ]
    if not kinds:
        return letters_told(totals.parked)
    if totals.parked.parked:
        kinds.insert(0, f"{totals.parked.letters:,} of {_subjects_told(totals.parked)}")
    all_of_them = shown(totals.letters, is_at_least=totals.is_at_least)
    return f"{all_of_them} dead letter{'' if totals.letters == 1 else 's'}: {', '.join(kinds)}"


def _subjects_told(counts: Counts) -> str:
    states = [f"{number:,} {word}" for number, word in ((counts.dead, "dead"), (counts.retrying, "retrying")) if number]
    return f"{counted(counts.parked, 'subject')} ({', '.join(states)})" if states else "no subject"
