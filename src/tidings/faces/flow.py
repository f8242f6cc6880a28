"""Who emits and accepts which versions now, service by service, as people are told: in a picture or in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tidings.versions.census import Census, versions_told

OUTSIDE = ""
"""Stands for whoever publishes from outside, of types that no service says it emits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emits:
    """`writes`: the highest open version that it can be brought to; None if there is none. `has`: those it emits."""

    service: str
    type: str
    writes: int | None
    has: tuple[int, ...]

    @property
    def waits(self) -> tuple[int, ...]:
        """The versions that it has and that are not open."""
        return tuple(each for each in self.has if self.writes is None or each > self.writes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepts:
    """`versions`: that all instances of all of the service's consumers accept. `held`: how many of them wait.

    `lacks`: versions that are produced, or that come next, and that it does not accept."""

    service: str
    type: str
    versions: tuple[int, ...]
    lacks: tuple[int, ...]
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """One endpoint, or several together: in which versions they are told."""

    endpoint: str
    type: str
    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What goes from whom to whom, each sorted by type."""

    types: tuple[str, ...]
    emits: tuple[Emits, ...]
    accepts: tuple[Accepts, ...]
    pins: tuple[Pins, ...]


def flow_of(known: Census, types: Iterable[str]) -> Flow:
    """Return what goes on among these types, as of the census."""
    asked = tuple(sorted(set(types)))
    return Flow(
        types=asked,
        emits=tuple(each for type in asked for each in _emits(known, type)),
        accepts=tuple(each for type in asked for each in _accepts(known, type)),
        pins=tuple(
            Pins(endpoint=each.endpoint, type=type, versions=(each.pins[type],))
            for type in asked
            for each in known.endpoints
            if type in each.pins and each.may_match(type)
        ),
    )


def next_version(known: Census, type: str) -> int | None:
    """Return the highest active version of a type that is not produced yet; None if there is none."""
    highest = max(known.produced(type), default=0)
    active = [number for number, each in known.of_type(type).items() if each.life == "active"]
    return max((number for number in active if number > highest), default=None)


def sentences(flow: Flow) -> list[str]:
    """Return the whole in words, a sentence for each service or endpoint and type."""
    return [*map(_emitting, flow.emits), *map(_accepting, flow.accepts), *map(_pinned, flow.pins)]


def _emits(known: Census, type: str) -> Iterator[Emits]:
    leases = known.live("emit", type)
    services = sorted({each.service for each in leases})
    if not services or any(services):
        services = [each for each in services if each != OUTSIDE]
    for service in services:
        has = sorted({version for each in leases if each.service == service for version in each.versions})
        below = (each for each in known.produced(type) if each <= max(has, default=0))
        yield Emits(service=service, type=type, writes=max(below, default=None), has=tuple(has))


def _accepts(known: Census, type: str) -> Iterator[Accepts]:
    leases = known.live("accept", type)
    to_come = next_version(known, type)
    wanted = {*known.produced(type), *(() if to_come is None else (to_come,))}
    for service in sorted({each.service for each in leases}):
        own = [each for each in leases if each.service == service]
        versions = frozenset.intersection(*(frozenset(each.versions) for each in own))
        yield Accepts(
            service=service,
            type=type,
            versions=tuple(sorted(versions)),
            lacks=tuple(sorted(wanted - versions)),
            held=len({each.instance for each in own if each.admission == "held"}),
        )


def _emitting(each: Emits) -> str:
    who = each.service or "Whoever is outside"
    writes = f"writes {each.type} {each.writes}" if each.writes else f"can write no version of {each.type} that is open"
    return f"{who} {writes}" + (f", and has {_and(each.waits)}, not open yet" if each.waits else "") + "."


def _accepting(each: Accepts) -> str:
    accepts = f"accepts {each.type} {_and(each.versions)}" if each.versions else f"accepts no version of {each.type}"
    lacks = f", not {_and(each.lacks)}" if each.lacks else ""
    held = f"; {each.held} of its instances wait for admission" if each.held else ""
    return f"{each.service} {accepts}{lacks}{held}."


def _pinned(each: Pins) -> str:
    return f"The endpoint {each.endpoint} is told of {each.type} in version {_and(each.versions)}."


def _and(versions: Sequence[int]) -> str:
    return versions_told(versions).replace(" ", ", ")
