"""Whether fields can hold together: no array may be entered at two of its elements.

Elements in which the same fields hold, in themselves and below, are as good as one another. So a list of thousands is
asked as the few kinds of elements that it has, however many combinations of fields are asked of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidings.events.patterns.walk import Chain

JOINED_MAX = 65_536
"""So many choices are weighed where a dotted name and a nested one lead to one path, and so to several arrays. Beyond
that the fields have to hold in one of these arrays: what two arrays hold is their product, and strangers write them."""


class Kind:
    """An element, or the event around all arrays. Bits stand for fields: `own`, those that hold there itself; `whole`,
    with those that hold somewhere below. `arrays`: those below it, each with its fields and its kinds of elements.
    `shared`: fields that hold in more than one of these arrays.
    """

    __slots__ = ("arrays", "own", "shared", "whole")

    def __init__(self, own: int, arrays: Iterable[frozenset[Kind]]) -> None:
        self.own = self.whole = own
        self.shared = 0
        self.arrays: list[tuple[int, frozenset[Kind]]] = []
        below = 0
        for kinds in arrays:
            fields = 0
            for kind in kinds:
                fields |= kind.whole
            self.shared |= below & fields
            below |= fields
            self.arrays.append((fields, kinds))
        self.whole |= below

    def holds(self, wanted: int) -> bool:
        """Say whether one element of each array can be chosen such that all these fields hold."""
        wanted &= ~self.own
        if wanted & ~self.whole:
            return False
        apart = wanted & self.shared
        for fields, kinds in self.arrays:
            here = wanted & fields
            if not here or here & apart:
                continue
            if not any(not here & ~each.whole and each.holds(here) for each in kinds):
                return False
            wanted &= ~here
        return not wanted or wanted in self.choices(wanted)

    def choices(self, wanted: int) -> set[int]:
        """Return which of these fields hold together, for each choice of elements."""
        found = {wanted & self.own}
        for fields, kinds in self.arrays:
            here = wanted & fields & ~self.own
            if here:
                there = set[int]().union(*(each.choices(here) for each in kinds))
                is_few = len(found) * len(there) <= JOINED_MAX
                found = {one | other for one in found for other in there} if is_few else found | there
        return found


class _Place:
    """An element while the tree grows."""

    __slots__ = ("arrays", "own")

    def __init__(self) -> None:
        self.own = 0
        self.arrays: dict[int, dict[int, _Place]] = {}

    def below(self, array: int, element: int) -> _Place:
        elements = self.arrays.get(array)
        if elements is None:
            elements = self.arrays[array] = {}
        found = elements.get(element)
        if found is None:
            found = elements[element] = _Place()
        return found

    def kind(self, known: dict[object, Kind]) -> Kind:
        """Return its kind, one for all that are alike."""
        arrays = tuple(frozenset(each.kind(known) for each in elements.values()) for elements in self.arrays.values())
        found = known.get((self.own, arrays))
        if found is None:
            found = known[self.own, arrays] = Kind(self.own, arrays)
        return found


def kind_of(fields: Sequence[Sequence[Chain]]) -> Kind:
    """Return what there is to be asked. `fields`: where each holds; the first is bit 0."""
    root = _Place()
    for n, chains in enumerate(fields):
        bit = 1 << n
        for chain in chains:
            place = root
            for array, element in chain:
                place = place.below(array, element)
            place.own |= bit
    return root.kind({})
