"""What is known, at one moment, of all versions: produced, accepted, under way, pinned, stored. The planner's input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tidings.store.versions import EventVersion, Role, VersionLease, Waiting
from tidings.versions.answer import AsOf

Kind = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transit:
    """What lies before a consumer's checkpoint, by type and version. Not exact: upper bounds; what is 0 is none."""

    entries: Mapping[Kind, int]
    is_exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """An endpoint: in which version it is told of a type. `types`: those that may be sent to it; None: any.

    `reads_data`: its pattern does, so that it is written for one version of each type."""

    endpoint: str
    pins: Mapping[str, int]
    types: frozenset[str] | None = None
    reads_data: bool = False

    def may_match(self, type: str) -> bool:
        return self.types is None or type in self.types


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """`leases`: what runs, and what ran last. `stored`: entries in the log; `segments`: in how many of them they lie.

    `transit`: by consumer; `again`: by consumer, what it may be made to read again. `assumed`: the consumers of which
    nothing runs, and whose last release counts as if it did. `is_whole`: False if a recount found other numbers, so
    that none of them proves anything.
    """

    as_of: AsOf
    versions: tuple[EventVersion, ...] = ()
    leases: tuple[VersionLease, ...] = ()
    stored: Mapping[Kind, int]
    segments: Mapping[Kind, int]
    transit: Mapping[str, Transit]
    waiting: tuple[Waiting, ...] = ()
    endpoints: tuple[Pinned, ...] = ()
    again: Mapping[str, Mapping[Kind, int]] = field(default_factory=dict)
    assumed: frozenset[str] = frozenset()
    is_whole: bool = True

    def of_type(self, type: str) -> Mapping[int, EventVersion]:
        """Return the registered versions of a type, by number."""
        return {each.version: each for each in self.versions if each.type == type}

    def produced(self, type: str) -> frozenset[int]:
        """P: the versions that may be appended, or may still be."""
        return frozenset(number for number, each in self.of_type(type).items() if each.is_produced)

    def live(self, role: Role, type: str | None = None) -> tuple[VersionLease, ...]:
        """Return the leases of a role that have not lapsed, for a type or for all."""
        return tuple(
            each
            for each in self.leases
            if each.role == role and type in (None, each.type) and each.is_live(self.as_of.time)
        )

    def serving(self, type: str, version: int) -> tuple[VersionLease, ...]:
        """Return who would hand a version out to endpoints: those with a class as new as it; if nobody has one, all."""
        live = self.live("serve", type)
        return tuple(each for each in live if max(each.versions, default=0) >= version) or live

    def readers(self, type: str) -> Mapping[str, tuple[VersionLease, ...]]:
        """Return, by consumer, who reads a type; none for one of a service that does not run, and may come back."""
        running = {each.service for each in self.live("accept")}
        found: dict[str, tuple[VersionLease, ...]] = {}
        for each in self.leases:
            if each.role == "accept" and each.type == type and each.service not in running:
                found.setdefault(each.consumer, ())
        for each in self.live("accept", type):
            found[each.consumer] = (*found.get(each.consumer, ()), each)
        return dict(sorted(found.items()))

    def concerned(self, type: str) -> list[str]:
        """Return the consumers that read a type, and those that nobody runs any more, but for which it is set aside."""
        aside = (each for each in self.waiting if each.place in ("dead", "retry") and each.type == type)
        return sorted({*self.readers(type), *(consumer_of(each.of) for each in aside)})

    def accepted(self, consumer: str, type: str) -> frozenset[int] | None:
        """A: the versions that every admitted instance of a consumer accepts; None if there is none."""
        admitted = [each for each in self.readers(type).get(consumer, ()) if each.admission == "admitted"]
        if not admitted:
            return None
        return frozenset.intersection(*(frozenset(each.versions) for each in admitted))

    def in_transit(self, consumer: str, type: str) -> tuple[Mapping[int, int], bool]:
        """T: how many entries of each version are on their way to a consumer, and whether that is exact."""
        before = self.transit.get(consumer, Transit(entries={}))
        found: dict[int, int] = {version: count for (of, version), count in before.entries.items() if of == type}
        for each in self.aside(consumer, type):
            found[each.version] = found.get(each.version, 0) + each.entries
        return {version: count for version, count in found.items() if count}, before.is_exact

    def aside(self, consumer: str, type: str) -> tuple[Waiting, ...]:
        """Return what is parked for a consumer."""
        return tuple(
            each
            for each in self.waiting
            if each.place in ("dead", "retry") and consumer_of(each.of) == consumer and each.type == type
        )

    def outbox(self, type: str) -> tuple[Waiting, ...]:
        """Return what waits to be appended."""
        return tuple(each for each in self.waiting if each.place == "outbox" and each.type == type)

    def given_up(self, type: str) -> tuple[Waiting, ...]:
        """Return the deliveries to endpoints that are dead, and may be made again."""
        return tuple(each for each in self.waiting if each.place == "given-up" and each.type == type)

    def within_reach(self, consumer: str, type: str, *, reads_all: bool) -> tuple[Mapping[int, int], bool]:
        """R: what is on its way to a consumer, and what it may read again."""
        found, is_exact = self.in_transit(consumer, type)
        kept = self.stored if reads_all else self.again.get(consumer, {})
        stored = {version: count for (of, version), count in kept.items() if of == type and count}
        if not stored:
            return found, is_exact
        return {version: max(found.get(version, 0), stored.get(version, 0)) for version in {*found, *stored}}, True


def consumer_of(name: str) -> str:
    """Return what leases call a consumer: one of a view's table is that of the view, whichever table it has now."""
    return name.partition("@")[0]


def versions_told(versions: Iterable[int]) -> str:
    """Return versions as people read them: `1 2 3`."""
    return " ".join(map(str, sorted(versions))) or "none"
