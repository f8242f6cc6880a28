"""What a store keeps of events' versions: which there are, who runs, what there is of each. Times are µs since 1970."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tidings.errors import NotFoundError, SchemaChangedError
from tidings.log.driver import Position

Gate = Literal["closed", "open", "closing"]
"""Whether a version may be appended; one that is `closing` may still be, by who does not know it yet."""
Life = Literal["active", "deprecated", "sunset", "retired"]
Role = Literal["accept", "emit", "serve"]
"""`accept`: reads; `emit`: appends; `serve`: hands out to endpoints in the version that they are pinned to."""
Admission = Literal["held", "admitted", "left"]
Place = Literal["dead", "retry", "outbox", "delivery", "given-up"]
"""`given-up`: a delivery to an endpoint that is dead, and may be made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventVersion:
    """One version of a type. `schema`: JSON. `owner`: the service that emits the type, "" if nobody says so.

    `epoch` rises with each change of a gate of the type. `by_hand`: a person closed the gate, so only one opens it.
    `sunset`: from when it is no longer taken; `deprecated`: since when that is said; `migration`: where to read on.
    `forced`: since when it was opened or appended whatever the planner said; None: it was not.
    """

    type: str
    version: int
    sha256: str
    schema: bytes
    published: bool = False
    owner: str = ""
    semantic_change: bool = False
    life: Life = "active"
    gate: Gate = "closed"
    epoch: int = 0
    by_hand: bool = False
    deprecated: int | None = None
    sunset: int | None = None
    migration: str = ""
    forced: int | None = None

    @property
    def is_produced(self) -> bool:
        return self.gate != "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLease:
    """What one running instance says of one type, until `expires_at`; what it said last, after that.

    `consumer`: "" for who emits. `revision`: the release, as its operator names it. `gate_epoch`: of the gates that all
    it appends is judged by. `admission` "left": it stopped by itself. `details`: JSON, for `tidings.versions` alone.
    """

    instance: str
    service: str
    consumer: str
    type: str
    role: Role
    versions: tuple[int, ...]
    revision: str = ""
    gate_epoch: int = 0
    admission: Admission = "held"
    details: bytes = b"{}"
    renewed_at: int = 0
    expires_at: int = 0

    def is_live(self, now: int) -> bool:
        """Say whether it counts: it has not left, and its lease has not lapsed."""
        return self.admission != "left" and self.expires_at > now and not self.is_ahead(now)

    def is_ahead(self, now: int) -> bool:
        """Say whether it was renewed by a clock that was set back since, by more than a lease lives.

        By less it may be a renewal that came behind the look at the clock, of who runs."""
        return 0 < self.expires_at - self.renewed_at < self.renewed_at - now


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many entries of a version there are, where the first and the last stand, and in how many segments."""

    type: str
    version: int
    entries: int
    first: Position
    last: Position
    segments: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits outside of the log, of one version. `of`: the consumer or the endpoint; "" for the outbox.

    `version`: the stored one; of a delivery the one that it is handed out in, 0 if that is the stored one.
    `oldest`: since when. `subjects`: how many, and `subject`: one of them.
    """

    place: Place
    of: str
    type: str
    version: int
    entries: int
    oldest: int
    subjects: int = 0
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What lies in the log after a position, up to where the next stretch begins."""

    after: Position
    tallies: tuple[Tally, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Tallies, as of the database's time and the log's head. `is_exact`: False if they are upper bounds.

    `differs`: a recount found other numbers, and nobody has repaired them. `rest`: what is in no segment yet, which is
    all that is after `upto`, in stretches.
    """

    tallies: tuple[Tally, ...]
    now: int
    head: Position
    is_exact: bool = True
    differs: bool = False
    upto: Position = 0
    rest: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Miscount:
    """A version of which there are not as many entries in the log as were counted."""

    type: str
    version: int
    counted: int
    found: int


def schema_changed(there: EventVersion, given: EventVersion) -> SchemaChangedError:
    return SchemaChangedError(
        f"{given.type} version {given.version} is published with the schema {there.sha256[:12]}, and this release has "
        f"{given.sha256[:12]}: declare the change as the next version, and leave this one as it was"
    )


def no_version(type: str, version: str, there: Iterable[tuple[str, int]]) -> NotFoundError:
    """Return the error that there is no such version, or no such type. `there`: the versions that are registered."""
    known = sorted(there)
    numbers = [str(number) for name, number in known if name == type]
    if not numbers:
        return NotFoundError("event type", type, {name for name, _ in known})
    return NotFoundError("version", version, numbers, of=type)
