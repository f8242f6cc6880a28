"""Up to when everything is known, for each part of a list's order. Pure.

A floor is the start of a tick, in µs since 1970. It is raised and never lowered.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tidings.reconciliation.rules.places import START, Place, Range

NEVER = -(2**63)
"""The floor of what was never proved."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a part of the order.

    `put`: every state written by then is known; `delete`: every delete too. `shown_put`, `shown_delete`: how far that
    may be told, since every question that was open then is answered.
    """

    put: int = NEVER
    delete: int = NEVER
    shown_put: int = NEVER
    shown_delete: int = NEVER

    def raised(self, other: Known) -> Known:
        """Return the higher of each."""
        return Known(
            max(self.put, other.put),
            max(self.delete, other.delete),
            max(self.shown_put, other.shown_put),
            max(self.shown_delete, other.shown_delete),
        )


NOTHING = Known()


@dataclass(frozen=True, slots=True)
class Floors:
    """The floors of a whole order: `known[i]` holds after `starts[i]`, up to `starts[i + 1]`, which is in it."""

    starts: tuple[Place, ...] = (START,)
    known: tuple[Known, ...] = (NOTHING,)

    def at(self, place: Place) -> Known:
        """Return what is known at a place."""
        return self.known[max(bisect_left(self.starts, place) - 1, 0)]

    def within(self, range: Range) -> Iterator[Known]:
        """Yield what is known in each part that the range touches."""
        first, end = self._parts(range)
        yield from self.known[first:end]

    def raised(self, range: Range, to: Known) -> Floors:
        """Return the floors with this range raised, split where it begins and ends, and joined where equal."""
        if range.is_empty:
            return self
        first, end = self._parts(range)
        starts, known = list(self.starts[first:end]), list(self.known[first:end])
        last = known[-1]
        if starts[0] < range.after:
            starts.insert(1, range.after)
            known.insert(1, known[0])
        kept = 1 if starts[0] < range.after else 0
        known[kept:] = [each.raised(to) for each in known[kept:]]
        if range.end is not None and (end == len(self.starts) or range.end < self.starts[end]):
            starts.append(range.end)
            known.append(last)
        return _joined(
            (*self.starts[:first], *starts, *self.starts[end:]), (*self.known[:first], *known, *self.known[end:])
        )

    def _parts(self, range: Range) -> tuple[int, int]:
        first = bisect_right(self.starts, range.after) - 1
        end = len(self.starts) if range.end is None else bisect_left(self.starts, range.end)
        return first, max(end, first + 1)

    @property
    def upserts(self) -> int:
        """Up to when all states may be told to be known, over the whole order; NEVER where a part was never proved."""
        return min(each.shown_put for each in self.known)

    @property
    def deletes(self) -> int:
        """The same for what is absent."""
        return min(min(each.shown_delete, each.shown_put) for each in self.known)


UNPROVED = Floors()


def _joined(starts: Sequence[Place], known: Sequence[Known]) -> Floors:
    kept = [0, *(i for i in range(1, len(starts)) if known[i] != known[i - 1])]
    return Floors(tuple(starts[i] for i in kept), tuple(known[i] for i in kept))


def shown(range: Range, as_of: int, floors: Floors, *, deletes: bool) -> Floors:
    """Return the floors where a proof of this range may be told."""
    to = replace(NOTHING, shown_put=as_of, shown_delete=as_of if deletes else NEVER)
    return floors.raised(range, to)
