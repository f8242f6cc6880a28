"""The closed runs as one process meets them: through filters in memory, so that a new key seldom costs a look at them.

A large run has a filter of its own, which is kept. The smallest ones, which a merge will make one, share a filter, so
that a key is tested once for all of them; it is kept nowhere, but made of their keys.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tidings.backends.sqlite.seen_filter import FEW, Filter, Probe
from tidings.backends.sqlite.seen_record import Known, numbers_of
from tidings.backends.sqlite.seen_run import Run, find_in_slices, pieces_of, records_in, runs_of

WORTH = 64
"""From so many keys on it is worth having the filters. Whoever appends less looks into the slices."""

ROOM = 8
"""For so many small runs a filter is made: about as many as become one, so that its size is that one's filter's."""


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that share a filter. `target`: what they are being merged into, or None."""

    runs: Sequence[Run]
    target: Run | None

    @property
    def buckets(self) -> frozenset[int]:
        return frozenset(run.bucket for run in self.runs)

    @property
    def entries(self) -> int:
        return sum(run.entries for run in self.runs)

    @property
    def places(self) -> Sequence[Run]:
        """The runs in whose slices the keys are."""
        return self.runs if self.target is None else [*self.runs, self.target]


Member = tuple[Group, Filter]


class Closed:
    """Used by whoever holds the writer, in its transactions."""

    def __init__(self) -> None:
        self._asked = 0
        self._groups: Sequence[Group] | None = None
        self._filters: dict[frozenset[int], Filter] = {}
        self._sieves: list[Sieve] | None = None
        self._unions: dict[frozenset[int], Filter] = {}

    def changed(self) -> None:
        """Be told that the runs have to be read again."""
        self._groups = self._sieves = None

    def find(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> Known:
        """Return those of the keys that are kept in a closed run."""
        if self._groups is None:
            self._groups = list(_groups(runs_of(connection)))
        self._asked += len(keys)
        maybe: Iterable[tuple[Group, Sequence[bytes]]]
        if self._asked < WORTH:
            maybe = [(group, keys) for group in self._groups]
        else:
            maybe = self._maybe(connection, self._groups, keys)
        wanted: defaultdict[int, list[bytes]] = defaultdict(list)
        for group, some in maybe:
            for key in some:
                for run in group.places:
                    wanted[run.place_of(key)].append(key)
        return find_in_slices(connection, wanted)

    def _maybe(
        self, connection: sqlite3.Connection, groups: Sequence[Group], keys: Sequence[bytes]
    ) -> Iterator[tuple[Group, Sequence[bytes]]]:
        """Yield groups, each with those of the keys that its filter does not exclude."""
        if self._sieves is None:
            # A closed run never gets another key, so what is held of it holds on.
            held = self._filters
            self._filters = {group.buckets: _filter_of(connection, group, held) for group in groups}
            self._sieves = self._sieves_of(list(zip(groups, self._filters.values(), strict=True)))
        if self._sieves:
            probe = Probe(keys)
            for sieve in self._sieves:
                yield from sieve.maybe(probe)

    def _sieves_of(self, members: Sequence[Member]) -> list[Sieve]:
        """Put kept filters of one size together, but those so large that to do it would be a long pause."""
        sieves: list[Sieve] = []
        sizes: defaultdict[int, list[Member]] = defaultdict(list)
        for group, filter in members:
            if group.runs[0].level > 0 and group.entries <= FEW:
                sizes[filter.shift].append((group, filter))
            else:
                sieves.append(Sieve(filter, [(group, filter)]))
        held = self._unions
        self._unions = {_buckets_of(some): _union_of(some, held) for some in sizes.values()}
        return sieves + [Sieve(self._unions[_buckets_of(some)], some) for some in sizes.values()]


@dataclass(frozen=True, slots=True)
class Sieve:
    """Groups whose filters are of one size, and the union of these: one look at it excludes most keys from all."""

    union: Filter
    members: Sequence[Member]

    def maybe(self, probe: Probe) -> Iterator[tuple[Group, Sequence[bytes]]]:
        """Yield groups, each with the keys that its filter does not exclude."""
        some = probe.maybe_in(self.union)
        if some and len(self.members) == 1:
            yield self.members[0][0], some
        elif some:
            finer = Probe(some)
            for group, filter in self.members:
                yield group, finer.maybe_in(filter)


def _buckets_of(members: Sequence[Member]) -> frozenset[int]:
    return frozenset(bucket for group, _ in members for bucket in group.buckets)


def _union_of(members: Sequence[Member], held: Mapping[frozenset[int], Filter]) -> Filter:
    """Return the union of filters that get no more keys: one that is held, if need be with those come since."""
    buckets = _buckets_of(members)
    had = max((some for some in held if some <= buckets), key=len, default=None)
    if had is None:
        return Filter.union([filter for _, filter in members])
    return Filter.union([held[had], *[filter for group, filter in members if not group.buckets <= had]])


def _groups(runs: Sequence[Run]) -> Iterator[Group]:
    building = {run.bucket: run for run in runs if run.state == "building"}
    small: defaultdict[int, list[Run]] = defaultdict(list)
    for run in runs:
        if run.state == "closed" and run.level == 0:
            small[run.target or 0].append(run)
        elif run.state == "closed":
            yield Group([run], building.get(run.target or 0))
    for target, sources in small.items():
        yield Group(sources, building.get(target))


def _filter_of(connection: sqlite3.Connection, group: Group, held: Mapping[frozenset[int], Filter]) -> Filter:
    """Return a group's filter: one that is held, if need be with the keys of the runs that have come since."""
    buckets = group.buckets
    if buckets in held:
        return held[buckets]
    if group.runs[0].level > 0:
        return Filter.stored(pieces_of(connection, group.runs[0]))
    had = max((some for some in held if some <= buckets), key=len, default=frozenset[int]())
    if not had or held[had].room < group.entries:
        had, filter = frozenset(), Filter.empty(max(2 * group.entries, ROOM * group.runs[0].entries))
    else:
        filter = held[had]
    for run in group.places:
        if run.bucket not in had:
            filter.add(numbers_of(records_in(connection, run)))
    return filter


def find_in_runs(connection: sqlite3.Connection, keys: Sequence[bytes]) -> Known:
    """Return those of the keys that are kept, by a look into a slice of each run: for whoever reads."""
    runs = [run for run in runs_of(connection) if run.state != "spent"]
    wanted: defaultdict[int, list[bytes]] = defaultdict(list)
    for key in keys:
        for run in runs:
            wanted[run.place_of(key)].append(key)
    return find_in_slices(connection, wanted)
