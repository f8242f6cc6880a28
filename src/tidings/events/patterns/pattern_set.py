"""Many patterns asked at once: an event is walked once, and only patterns that may match are looked at."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Generic, TypeVar

from tidings.events.patterns.matchers import Key, folded
from tidings.events.patterns.pattern import Asked, Clause, Field, Pattern
from tidings.events.patterns.scalars import Constant, Scalar
from tidings.events.patterns.walk import Path, Paths, find

NameT = TypeVar("NameT", bound=Hashable)
_RANK = {"exact": 0, "folded": 1, "prefix": 2, "suffix": 2, "range": 3}


class PatternSet(Generic[NameT]):
    """Patterns by name. How long an event takes depends on how many may match, not on how many there are.

    Each conjunction of a pattern is filed under the field that tells it from the most others.
    """

    def __init__(self, patterns: Mapping[NameT, Pattern]) -> None:
        self._names = tuple(patterns)
        self._clauses = [(n, clause) for n, each in enumerate(patterns.values()) for clause in each.clauses]
        self._paths = Paths(path for each in patterns.values() for path in each.paths)
        self.reads_data = any(each.reads_data for each in patterns.values())
        self._always: list[int] = []
        self._files: dict[Path, _File] = {}
        crowds = Counter((field.path, key) for _, clause in self._clauses for field in clause for key in _keys(field))
        for n, (_, clause) in enumerate(self._clauses):
            self._file(n, clause, crowds)

    def _file(self, n: int, clause: Clause, crowds: Mapping[tuple[Path, Key], int]) -> None:
        def crowd(field: Field) -> tuple[int, int]:
            """Return how many clauses would be looked at with this one, and how dear finding them is."""
            keys = _keys(field)
            if field.is_absent or any(key.kind == "any" for key in keys):
                return len(self._clauses) + field.is_absent, 0
            return sum(crowds[field.path, key] for key in keys), max(_RANK[key.kind] for key in keys)

        field = min(clause, key=crowd)
        if field.is_absent:
            self._always.append(n)
        else:
            self._files.setdefault(field.path, _File()).add(n, _keys(field))

    def matching(self, event: Mapping[str, Any]) -> Sequence[NameT]:
        """Return the names of the patterns that match, in their order. See `Pattern.matches`."""
        found = find(event, self._paths)
        candidates = set(self._always)
        for path, there in found.items():
            file = self._files.get(path)
            if file is not None:
                for value, _ in there:
                    file.collect(value, candidates)
        asked, clauses = Asked(found), dict[int, list[Clause]]()
        for candidate in sorted(candidates):
            n, clause = self._clauses[candidate]
            clauses.setdefault(n, []).append(clause)
        return [self._names[n] for n, those in clauses.items() if asked.holds(those)]


def _keys(field: Field) -> list[Key]:
    together = [Key("exact", next(iter(values))) for values in field.together]
    return [*(Key("exact", value) for value in field.values), *(each.key for each in field.matchers), *together]


class _File:
    """The clauses that are filed under one path, by what the value there may be."""

    def __init__(self) -> None:
        self._exact: dict[Scalar, list[int]] = {}
        self._folded: dict[str, list[int]] = {}
        self._prefixes: dict[int, dict[str, list[int]]] = {}
        self._suffixes: dict[int, dict[str, list[int]]] = {}
        self._ranges = _Ranges()
        self._any: list[int] = []

    def add(self, n: int, keys: Iterable[Key]) -> None:
        for key in keys:
            if key.kind == "exact":
                self._exact.setdefault(key.value, []).append(n)
            elif key.kind == "range":
                self._ranges.add(n, key)
            elif key.kind == "any":
                self._any.append(n)
            else:
                self._add_text(n, key.kind, str(key.value))

    def _add_text(self, n: int, kind: str, text: str) -> None:
        if kind == "folded":
            self._folded.setdefault(text, []).append(n)
        else:
            by_length = self._prefixes if kind == "prefix" else self._suffixes
            by_length.setdefault(len(text), {}).setdefault(text, []).append(n)

    def collect(self, value: Scalar, into: set[int]) -> None:
        """Add the clauses that may hold with this value."""
        into.update(self._exact.get(value, ()))
        into.update(self._any)
        if isinstance(value, str):
            if self._folded:
                into.update(self._folded.get(folded(value), ()))
            for length, texts in self._prefixes.items():
                into.update(texts.get(value[:length], ()))
            for length, texts in self._suffixes.items():
                into.update(texts.get(value[max(0, len(value) - length) :], ()))
        elif not isinstance(value, Constant):
            self._ranges.collect(value, into)


class _Ranges:
    """Numeric ranges, cut where one begins or ends: a number lies in one piece, or on one cut."""

    def __init__(self) -> None:
        self._added: list[tuple[int, Key]] = []
        self._cuts: list[Any] | None = None
        self._within: list[list[int]] = []

    def add(self, n: int, key: Key) -> None:
        self._added.append((n, key))
        self._cuts = None

    def collect(self, value: int | Decimal, into: set[int]) -> None:
        if not self._added:
            return
        cuts = self._cut() if self._cuts is None else self._cuts
        first, last = bisect_left(cuts, value), bisect_right(cuts, value)
        for piece in range(first, last + 1):
            into.update(self._within[piece])

    def _cut(self) -> list[Any]:
        """Piece n lies below cut n and above the one before it; a value on a cut is in both of its pieces."""
        cuts = sorted({bound for _, key in self._added for bound in (key.low, key.high) if bound is not None})
        self._within = [[] for _ in range(len(cuts) + 1)]
        for n, key in self._added:
            begin = 0 if key.low is None else bisect_right(cuts, key.low)
            end = len(cuts) if key.high is None else bisect_left(cuts, key.high)
            for piece in range(begin, end + 1):
                self._within[piece].append(n)
        self._cuts = cuts
        return cuts
