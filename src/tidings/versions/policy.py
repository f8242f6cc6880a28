"""What is done with an event whose version may not be appended now, and who is told of what is all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from tidings.errors import VersionNotOpenError, VersionSunsetError
from tidings.events.envelope import Envelope
from tidings.versions.gates import Gates

Inside = Literal["downcast", "refuse", "warn"]
Outside = Literal["refuse", "warn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """`inside`: of what services here publish and emit; `outside`: of what comes in.

    `downcast`: the highest open version below that steps lead to. `refuse`: VersionNotOpenError. `warn`: it is appended
    as it is, told, and the version marked as forced: a reader that lacks it stops before it, and misreads nothing.
    """

    inside: Inside = "downcast"
    outside: Outside = "refuse"


DEFAULT = Policies()


class Told(Protocol):
    """Who is told, event by event."""

    def deprecated(self, envelope: Envelope) -> None:
        """Be told of one that is published in a version that is deprecated."""

    def forced(self, envelope: Envelope, accepted: tuple[int, ...]) -> None:
        """Be told of one that is published though its version is not open. `accepted`: those that are."""


class _Nobody:
    def deprecated(self, envelope: Envelope) -> None:
        return None

    def forced(self, envelope: Envelope, accepted: tuple[int, ...]) -> None:
        return None


NOBODY: Told = _Nobody()


def refused(gates: Gates, envelope: Envelope) -> VersionNotOpenError:
    """Return the error for an event whose version may not be appended: VersionSunsetError if it never may again."""
    accepted = gates.accepted(envelope.type)
    ending = gates.ending(envelope.type, envelope.version)
    name = f"{envelope.type} version {envelope.version}"
    if ending is not None and ending.is_over:
        read_on = f": see {ending.migration}" if ending.migration else ""
        why = f"{name} has ended; publish {told(accepted)} instead{read_on}"
        return VersionSunsetError(why, accepted=accepted, errors=[("/dataversion", why)])
    why = f"{name} is not open; {told(accepted)} may be published"
    return VersionNotOpenError(why, accepted=accepted, errors=[("/dataversion", why)])


def told(versions: tuple[int, ...]) -> str:
    """Return versions as a sentence has them."""
    return ", ".join(map(str, versions)) or "none"
