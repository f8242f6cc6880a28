"""How much is parked, counted in one way wherever it is shown: a dead letter is one until it is handled or dropped.

That it is tried again changes the state of its subject, and no number of dead letters. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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


def count(parked: Iterable[Parked]) -> Counts:
    """Count what is parked."""
    found = tuple(parked)
    dead = sum(each.state == "dead" for each in found)
    return Counts(letters=sum(each.entries for each in found), dead=dead, retrying=len(found) - dead)


def letters_told(counts: Counts) -> str:
    """Return in words how many dead letters there are, and in which states their subjects are."""
    states = [f"{number:,} {word}" for number, word in ((counts.dead, "dead"), (counts.retrying, "retrying")) if number]
    subjects = f"{counted(counts.parked, 'subject')} ({', '.join(states)})" if states else "no subject"
    return f"{counted(counts.letters, 'dead letter')} of {subjects}"
