"""A compiled pattern: alternatives of fields, each a path with the values that it takes there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidings.events.patterns.agreement import kind_of
from tidings.events.patterns.looks import Addresses, Look
from tidings.events.patterns.matchers import Matcher
from tidings.events.patterns.scalars import Scalar
from tidings.events.patterns.walk import OUTSIDE, Chain, Found, Path, Paths, find

FREE: Sequence[Chain] = (OUTSIDE,)
"""It holds, whatever element of an array other fields are in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A leaf of a pattern: it holds if one of its alternatives does.

    `values`: exact scalars. `is_absent`: no scalar may be there at all. `together`: sets of scalars, of which an array
    at the path must have every one.
    """

    path: Path
    values: frozenset[Scalar] = frozenset()
    matchers: tuple[Matcher, ...] = ()
    is_absent: bool = False
    together: tuple[frozenset[Scalar], ...] = ()
    look: Look | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "look", Look(self.matchers) if self.matchers else None)

    def chains(self, found: Found, addresses: Addresses) -> Sequence[Chain]:
        """Return in which elements of arrays the field holds; none: it does not."""
        there = found.get(self.path)
        if there is None:
            return FREE if self.is_absent else ()
        values, look = self.values, self.look
        chains = [
            chain for value, chain in there if value in values or (look is not None and look.takes(value, addresses))
        ]
        return [*chains, *self._arrays(there)] if self.together else chains

    def _arrays(self, there: Sequence[tuple[Scalar, Chain]]) -> Iterator[Chain]:
        arrays: dict[tuple[Chain, int], set[Scalar]] = {}
        for value, chain in there:
            if chain:
                arrays.setdefault((chain[:-1], chain[-1][0]), set()).add(value)
        for (around, _), values in arrays.items():
            if any(wanted <= values for wanted in self.together):
                yield around


Clause = tuple[Field, ...]
"""Fields that must hold together."""


class Asked:
    """What was found in one event, and what was answered of it: each field is asked once, in however many clauses."""

    __slots__ = ("_addresses", "_chains", "_found")

    def __init__(self, found: Found) -> None:
        self._found = found
        self._addresses: Addresses = {}
        self._chains: dict[int, Sequence[Chain]] = {}

    def holds(self, clauses: Iterable[Clause]) -> bool:
        """Say whether all fields of a clause hold, those within one array in the same element of it."""
        bound: dict[int, Sequence[Chain]] = {}
        asked: list[list[int]] = []
        for clause in clauses:
            within = self._within(clause, bound)
            if within is not None:
                if len(within) < 2:
                    return True
                asked.append(within)
        if not asked:
            return False
        bits = {field: 1 << n for n, field in enumerate(bound)}
        kind = kind_of(list(bound.values()))
        return any(kind.holds(sum(bits[field] for field in within)) for within in asked)

    def _within(self, clause: Clause, bound: dict[int, Sequence[Chain]]) -> list[int] | None:
        """Return the fields that hold in arrays alone, and add where; None if one does not hold at all."""
        within: list[int] = []
        for each in clause:
            key = id(each)
            chains = self._chains.get(key)
            if chains is None:
                chains = self._chains[key] = each.chains(self._found, self._addresses)
            if not chains:
                return None
            if chains[0]:
                within.append(key)
                bound[key] = chains
        return within


class Pattern:
    """What events it matches; `text` is the pattern as JSON. It is made by `grammar.compile_pattern`."""

    __slots__ = ("_paths", "clauses", "text")

    def __init__(self, text: str, clauses: Sequence[Clause]) -> None:
        self.text = text
        self.clauses = tuple(clauses)
        self._paths = Paths(self.paths)

    @property
    def paths(self) -> frozenset[Path]:
        """The paths whose values it looks at."""
        return frozenset(each.path for clause in self.clauses for each in clause)

    @property
    def reads_data(self) -> bool:
        """Whether it looks into the event's data: then it is bound to a version of the type."""
        return any(path[0] == "data" for path in self.paths)

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Say whether the event matches; its numbers are exact where floats were read as `decimal.Decimal`."""
        return Asked(find(event, self._paths)).holds(self.clauses)

    def may_match(self, event: Mapping[str, Any]) -> bool:
        """Say whether an event may match of which the data is not known: the rest of it does."""
        known = (tuple(each for each in clause if each.path[0] != "data") for clause in self.clauses)
        return Asked(find(event, self._paths)).holds(known)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Pattern({self.text})"
