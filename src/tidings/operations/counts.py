"""How much is parked, counted in one way wherever it is shown: what is retried is not dead. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tidings.store.parking import Parked


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What waits. `letters`: the dead letters, entries of the `dead` subjects, which wait for an operator;
    `retrying`: subjects that are tried again by themselves; `waiting`: their entries.
    """

    letters: int
    dead: int
    retrying: int
    waiting: int

    @property
    def parked(self) -> int:
        """All subjects."""
        return self.dead + self.retrying


def count(parked: Iterable[Parked]) -> Counts:
    """Count what is parked."""
    entries: dict[str, list[int]] = {"dead": [], "retrying": []}
    for each in parked:
        entries[each.state].append(each.entries)
    dead, retrying = entries["dead"], entries["retrying"]
    return Counts(letters=sum(dead), dead=len(dead), retrying=len(retrying), waiting=sum(retrying))


def dead_told(counts: Counts) -> str:
    """Return in words how many dead letters there are."""
    return f"{_number(counts.letters, 'dead letter')} of {_number(counts.dead, 'subject')}"


def retrying_told(counts: Counts) -> str:
    """Return in words how much is retried."""
    entries = _number(counts.waiting, "entry", "entries")
    return f"{_number(counts.retrying, 'subject')} with {entries} {'is' if counts.retrying == 1 else 'are'} retried"


def _number(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
