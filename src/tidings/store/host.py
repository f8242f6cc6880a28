"""What a database stands on: a file on a disk, or a server. Asked by readiness and by who looks whether all is well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold. `problem`: what is wrong and whose, for operators' eyes only; None if it holds.

    `note`: what is to be known although it holds.
    """

    name: str
    problem: str | None = None
    note: str | None = None


class Host(Protocol):
    """Beneath a log and a store."""

    @property
    def hole_seconds(self) -> float:
        """How long this process's readers have waited for a position that a writer holds open, as its last look saw."""

    async def problem(self) -> str | None:
        """Return what is wrong with the place that the settings name, as far as it costs next to nothing to say."""

    async def look(self) -> Sequence[Check]:
        """Look at everything that an operator should know of it. That it cannot be asked is a problem, not an error."""
