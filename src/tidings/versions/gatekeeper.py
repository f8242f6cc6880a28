"""Whoever appends passes here: an event whose version is not open is brought down to one that is, or refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tidings.errors import LogUnavailableError, UnknownTypeError, VersionNotOpenError
from tidings.events.envelope import Entry, Envelope
from tidings.ports import Clock
from tidings.versions.gates import Gates
from tidings.versions.lineage import Lineage
from tidings.versions.marks import Marks, marks_of
from tidings.versions.policy import DEFAULT, NOBODY, Policies, Told, refused
from tidings.versions.retelling import HANDED_IN, handed_in
from tidings.versions.step import Unreadable, serve
from tidings.wording import absent

_UNKNOWN = "which versions are open is not known now; repeat the call"
FRESH_SECONDS = 25.0
"""A lease lives for 30: who has not renewed it for so long cannot be sure that the gates are as it knows them."""


class Gatekeeper:
    """The gates as this process knows them: `gates` are judged by now.

    Whoever appends does so inside of `passing`, from before the event is judged until it is kept: then the gates that
    all it has under way were judged by are known, which `epochs` says.
    """

    def __init__(
        self,
        lineages: Mapping[str, Lineage],
        clock: Clock,
        *,
        policies: Policies = DEFAULT,
        told: Told = NOBODY,
        public_url: str | None = None,
    ) -> None:
        self.policies = policies
        self.told = told
        self.marks = Marks()
        self.public_url = public_url
        self._lineages = lineages
        self._clock = clock
        self._forced: set[tuple[str, int]] = set()
        self.gates = Gates()
        self._generation = 0
        self._seen: dict[int, Gates] = {0: self.gates}
        self._under_way: dict[int, int] = {}
        self._fresh_until: float | None = None
        self._is_blind = False

    @property
    def epochs(self) -> Mapping[str, int]:
        """Return, by type, the epoch of the oldest gates that something under way was judged by."""
        return self._seen[min([*self._under_way, self._generation])].epochs

    def await_gates(self) -> None:
        """Be told that there are gates, which nobody has asked for yet."""
        self._is_blind = True

    def learn(self, gates: Gates, *, sent: float | None) -> None:
        """Judge by these gates from now on. `sent`: when they were asked for, by the clock's `monotonic`; None: it
        holds no lease, so that nobody waits for it."""
        self._is_blind = False
        self._fresh_until = None if sent is None else sent + FRESH_SECONDS
        if gates != self.gates:
            self._generation += 1
            self.gates = self._seen[self._generation] = gates
            self.marks = marks_of(gates, self.public_url)
            self._forget()

    def passing(self) -> Passing:
        """Have what is judged and appended in the block count as under way."""
        return Passing(self)

    def begin(self) -> int:
        """Count something as under way; return the generation of the gates that it is judged by."""
        generation = self._generation
        self._under_way[generation] = self._under_way.get(generation, 0) + 1
        return generation

    def end(self, generation: int) -> None:
        """Count it no more."""
        self._under_way[generation] -= 1
        if not self._under_way[generation]:
            del self._under_way[generation]
            if len(self._seen) > 1:
                self._forget()

    def admit(self, envelope: Envelope) -> Envelope:
        """Return an event of a service as it may be appended: as it is, or brought down to an open version.

        VersionNotOpenError if no steps lead down to one, or the policy is to refuse; LogUnavailableError if the gates
        are not known now; TransformError.
        """
        if self._is_open(envelope):
            return envelope
        if self.policies.inside == "warn" and self._may_be_forced(envelope):
            return self._force(envelope)
        lineage = self._lineages.get(envelope.type)
        landing = None if lineage is None else self.gates.landing(lineage, envelope.version)
        if lineage is None or landing is None or self.policies.inside == "refuse":
            raise refused(self.gates, envelope)
        brought = brought_down(envelope, landing, self._lineages)
        if landing in self.gates.types[envelope.type].ending:
            self.told.deprecated(brought)
        return brought

    def check(self, envelope: Envelope) -> None:
        """Refuse an event from outside. VersionNotOpenError; UnknownTypeError for a version that nobody registered."""
        if not self._is_open(envelope):
            gates = self.gates.types[envelope.type]
            if envelope.version not in gates.known:
                why = absent("version", str(envelope.version), map(str, gates.known), of=envelope.type)
                raise UnknownTypeError(why, errors=[("/dataversion", why)])
            if self.policies.outside != "warn" or not self._may_be_forced(envelope):
                raise refused(self.gates, envelope)
            self._force(envelope)

    @property
    def forced(self) -> frozenset[tuple[str, int]]:
        """The versions that were appended though they were not open, and of which that is not written down yet."""
        return frozenset(self._forced)

    def noted(self, forced: Collection[tuple[str, int]]) -> None:
        """Be told that it is."""
        self._forced -= {*forced}

    def _may_be_forced(self, envelope: Envelope) -> bool:
        ending = self.gates.ending(envelope.type, envelope.version)
        return envelope.version in self.gates.types[envelope.type].known and not (ending and ending.is_over)

    def _force(self, envelope: Envelope) -> Envelope:
        self._forced.add((envelope.type, envelope.version))
        self.told.forced(envelope, self.gates.accepted(envelope.type))
        return envelope

    def _is_open(self, envelope: Envelope) -> bool:
        gates = self.gates.types.get(envelope.type)
        if gates is None:
            lineage = self._lineages.get(envelope.type)
            if self._is_blind and lineage is not None and len(lineage.versions) > 1:
                raise LogUnavailableError(_UNKNOWN)
            return True
        if gates.known == (envelope.version,) == gates.open:
            return True
        if self._fresh_until is not None and self._clock.monotonic() > self._fresh_until:
            raise LogUnavailableError(_UNKNOWN)
        if envelope.version not in gates.open:
            return False
        if envelope.version in gates.ending:
            self.told.deprecated(envelope)
        return True

    def _forget(self) -> None:
        needed = {*self._under_way, self._generation}
        self._seen = {generation: gates for generation, gates in self._seen.items() if generation in needed}


class Passing:
    """See `Gatekeeper.passing`. It is passed at each append, where a generator would take three times as long."""

    __slots__ = ("_generation", "_keeper")

    def __init__(self, keeper: Gatekeeper) -> None:
        self._keeper = keeper
        self._generation = 0

    def __enter__(self) -> None:
        self._generation = self._keeper.begin()

    def __exit__(self, *raised: object) -> None:
        self._keeper.end(self._generation)


def brought_down(envelope: Envelope, version: int, lineages: Mapping[str, Lineage]) -> Envelope:
    """Return the event in an older version, by the steps that lead down, with what it was handed in as noted.

    TransformError; VersionNotOpenError."""
    served = serve(Entry(0, 0, envelope), version, lineages)
    if isinstance(served, Unreadable):
        raise VersionNotOpenError(served.why, accepted=served.accepts)
    return Envelope(
        id=envelope.id,
        source=envelope.source,
        type=envelope.type,
        version=version,
        subject=envelope.subject,
        time=envelope.time,
        time_stamped=envelope.time_stamped,
        attributes={**envelope.attributes, HANDED_IN: handed_in(envelope, lineages)},
        data=served.data,
    )
