"""The plan for taking a type to a version: services in their order, the state of each, what is missing and next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidings.store.versions import EventVersion, VersionLease
from tidings.versions.answer import Reason, verdict_of
from tidings.versions.census import Census
from tidings.versions.order import rollout
from tidings.versions.predicates import may_switch
from tidings.versions.said import said_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The live instances of one release of a service: what they read of the type, and emit of it.

    `tolerates`: they read the version that is asked for as it is, without a class for it.
    """

    revision: str
    count: int
    accepts: tuple[int, ...]
    tolerates: bool
    emits: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One service. `state`: of the whole of it. `writes`: the version that it appends now; None: it emits none."""

    place: int
    service: str
    running: tuple[Running, ...]
    writes: int | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One pinned endpoint: by which versions its pin is reached, and what is lost on the way; no path: none leads."""

    endpoint: str
    pin: int
    path: tuple[int, ...]
    loses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`of`: the highest version that is produced now. `opens_itself`: nobody has to open the gate by hand."""

    type: str
    of: int
    to: int
    rows: tuple[Row, ...]
    served: tuple[Served, ...]
    reasons: tuple[Reason, ...]
    next_steps: tuple[str, ...]

    @property
    def answer(self) -> str:
        return verdict_of(self.reasons)


def plan(census: Census, type: str, to: int, *, opens_itself: bool) -> Plan:
    """Return the plan for a type."""
    reasons: list[Reason] = []
    for producer in _producers(census, type, to):
        reasons += [each for each in may_switch(census, producer, type, to) if each not in reasons]
    produced = census.produced(type)
    about = _About(census, type, to, verdict_of(reasons))
    order = [name for circle in rollout(edges_of(census)) for name in circle if about.concerns(name)]
    waiting = [name for name in order if about.reads(name) and not about.accepts(name)]
    return Plan(
        type=type,
        of=max((each for each in produced if each < to), default=max(produced, default=0)),
        to=to,
        rows=tuple(about.row(place, name, waiting) for place, name in enumerate(order, 1)),
        served=tuple(_served(census, type, to)),
        reasons=tuple(reasons),
        next_steps=_next(reasons, opens_itself=opens_itself and _waits_for_readers(census.of_type(type).get(to))),
    )


def _producers(census: Census, type: str, to: int) -> list[str]:
    """Return the services that are to switch: those that run and have the version, else all that emit the type; where
    none runs, whose it is; "": whoever sends from outside."""
    emitting = [each for each in census.live("emit", type) if each.service]
    having = {each.service for each in emitting if to in each.versions}
    row = census.of_type(type).get(to)
    return sorted(having or {each.service for each in emitting}) or ["" if row is None else row.owner]


def edges_of(census: Census) -> Mapping[str, set[str]]:
    """Return whom each service feeds: those that read a type which it emits."""
    found: dict[str, set[str]] = {each.service: set() for each in census.live("accept")}
    for emits in census.live("emit"):
        if emits.service:
            readers = {each.service for each in census.live("accept", emits.type)}
            found.setdefault(emits.service, set()).update(readers - {emits.service})
    return found


@dataclass(frozen=True, slots=True)
class _About:
    census: Census
    type: str
    to: int
    answer: str

    def concerns(self, service: str) -> bool:
        return bool(self._leases(service))

    def reads(self, service: str) -> bool:
        return any(each.role == "accept" for each in self._leases(service))

    def accepts(self, service: str) -> bool:
        """Say whether every instance of the service that may read accepts the version."""
        admitted = [each for each in self._leases(service) if each.role == "accept" and each.admission == "admitted"]
        return bool(admitted) and all(self.to in each.versions for each in admitted)

    def row(self, place: int, service: str, waiting: Sequence[str]) -> Row:
        leases = self._leases(service)
        revisions = sorted({each.revision for each in leases}, key=lambda each: (len(each), each))
        emits = any(each.role == "emit" for each in leases)
        open_ = [
            each
            for each in self.census.produced(self.type)
            if any(each <= max(one.versions, default=0) for one in leases if one.role == "emit")
        ]
        return Row(
            place=place,
            service=service,
            running=tuple(
                _running(each, [one for one in leases if one.revision == each], self.to) for each in revisions
            ),
            writes=max(open_, default=None) if emits else None,
            state=self._state(service, leases, waiting),
        )

    def _state(self, service: str, leases: Sequence[VersionLease], waiting: Sequence[str]) -> str:
        if service in waiting:
            return "waits"
        if any(each.role == "emit" for each in leases):
            if self.to in self.census.produced(self.type):
                return "done"
            if self.answer == "ok":
                return f"gate {self.to} may open"
            others = [each for each in waiting if each != service]
            return f"waits for {', '.join(others)}" if others else "waits"
        said = [said_of(each.details) for each in leases if each.role == "accept"]
        return "nothing to deploy" if any(self.to in each.tolerated for each in said) else "done"

    def _leases(self, service: str) -> list[VersionLease]:
        live = (*self.census.live("accept", self.type), *self.census.live("emit", self.type))
        return [each for each in live if each.service == service]


def _running(revision: str, leases: Sequence[VersionLease], to: int) -> Running:
    leases = [each for each in leases if each.revision == revision]
    accepting = [each for each in leases if each.role == "accept"]
    accepts = frozenset.intersection(*(frozenset(each.versions) for each in accepting)) if accepting else frozenset()
    tolerated = {version for each in accepting for version in said_of(each.details).tolerated}
    emits = {version for each in leases if each.role == "emit" for version in each.versions}
    return Running(
        revision=revision,
        count=len({each.instance for each in leases}),
        accepts=tuple(sorted(accepts)),
        tolerates=to in tolerated & accepts,
        emits=tuple(sorted(emits)),
    )


def _served(census: Census, type: str, to: int) -> list[Served]:
    found = []
    serving = [said_of(each.details) for each in census.serving(type, to)]
    for each in census.endpoints:
        pin = each.pins.get(type)
        if pin is None or not each.may_match(type):
            continue
        paths = [(said, said.path(to, pin)) for said in serving]
        path = None if not paths or any(found is None for _, found in paths) else paths[0][1]
        loses = () if path is None else paths[0][0].loses(path)
        steps = () if path is None else (to, *(end for _, end in path))
        found.append(Served(endpoint=each.endpoint, pin=pin, path=steps, loses=loses))
    return found


def _waits_for_readers(row: EventVersion | None) -> bool:
    """Say whether a gate opens as soon as it may: it is shut, and no person shut it."""
    return row is None or (row.gate == "closed" and row.life == "active" and not row.by_hand)


def _next(reasons: Sequence[Reason], *, opens_itself: bool) -> tuple[str, ...]:
    told = list(dict.fromkeys(each.told for each in reasons if each.told))
    if told and opens_itself:
        told.append("the gate then opens by itself")
    return tuple(told)
