"""Who there is in a town: services, their processes and consumers, endpoints, and one clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.promises.rollouts import releases
from tests.promises.rollouts.releases import Release
from tidings.events.envelope import Envelope
from tidings.store.versions import VersionLease
from tidings.versions.gatekeeper import Gatekeeper


class Stuck(AssertionError):
    """What must not be: a reader before an entry that it cannot read, or a yes that did not hold."""


class Clock:
    """The seconds of a town, for gatekeepers."""

    def __init__(self) -> None:
        self.now = 0

    def monotonic(self) -> float:
        return float(self.now)


@dataclass
class Service:
    name: str
    reads: tuple[str, ...]
    emits: tuple[str, ...]
    keeps_view: bool
    copies: tuple[str, ...] = ()

    @property
    def consumers(self) -> Mapping[str, tuple[str, ...]]:
        """The types that each of its consumers reads."""
        found = {self.name: self.reads} if self.reads else {}
        if self.reads and self.keeps_view:
            found[f"{self.name}.view"] = self.reads
        return {**found, f"{self.name}.copy": self.copies} if self.copies else found

    @property
    def writes(self) -> tuple[str, ...]:
        """What it emits, and what it repairs."""
        return tuple(dict.fromkeys((*self.emits, *self.copies)))


@dataclass
class Consumer:
    """`at`: where its checkpoint stands; `letters`: entries set aside; `again`: entries to be read anew."""

    service: Service
    reads: tuple[str, ...]
    reads_all: bool
    at: int = 0
    letters: list[int] = field(default_factory=list)
    again: list[int] = field(default_factory=list)
    settled: set[int] = field(default_factory=set)


@dataclass
class Process:
    """One instance. `told`: by type, the versions it knows of; `until`: when its lease ends; `epochs`: as it said.

    `work`: what it has judged and not appended, each with the generation of the gates that it was judged by. `leases`:
    as they are, none if they have to be said anew.
    """

    number: int
    service: Service
    release: Release
    keeper: Gatekeeper
    told: dict[str, frozenset[int]]
    until: int = 0
    epochs: dict[str, int] = field(default_factory=dict)
    admitted: set[str] = field(default_factory=set)
    is_frozen: bool = False
    is_dead: bool = False
    has_left: bool = False
    work: list[tuple[int, Envelope]] = field(default_factory=list)
    leases: tuple[VersionLease, ...] = ()

    def accepts(self, type: str) -> frozenset[int]:
        return releases.accepts(self.release[type], self.told[type])


@dataclass
class Endpoint:
    """`reads_data`: its pattern asks for the member that version 1 needs; where it has no pin, of what was stored.

    `pending`, `dead`: places, and the version in which each is told."""

    name: str
    pins: dict[str, int]
    reads_data: bool = False
    pending: list[tuple[int, int]] = field(default_factory=list)
    dead: list[tuple[int, int]] = field(default_factory=list)
