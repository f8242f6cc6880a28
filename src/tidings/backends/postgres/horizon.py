"""Up to where the log is final: nothing appears at or below it any more. Pure decisions over what was seen.

Positions are drawn before they are committed, so an entry may appear below one that is read already. Where a number
is missing, it may yet come. Whoever draws numbers holds the lock ORDER, shared, from before the first one until its
transaction has ended, and PostgreSQL makes a commit visible before it gives the locks back. So when an entry is
visible, everybody who may own a number below it is among the holders of ORDER, or has ended. A look at the holders
that comes after the entry was seen names all who may still own a hole; once these have ended, a query that begins then
sees all there will ever be. Who comes later draws higher numbers and delays nobody. No time-out is needed, and no lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidings.log.driver import Position

NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one statement saw, first `top`, then who held ORDER.

    `top`: the highest visible position, 0 in an empty log. `safe`: all up to it has been proved to be final.
    `holders`: the virtual ids of transactions. `prepared`: of those that are prepared: after a restart of the server
    they have others, so they count whenever they are seen. `synchronous_commit`: the setting, as it is now.
    """

    top: Position
    safe: Position = 0
    holders: frozenset[str] = NOBODY
    prepared: frozenset[str] = NOBODY
    synchronous_commit: str = "on"

    @property
    def everybody(self) -> frozenset[str]:
        return self.holders | self.prepared


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything at or below `upto` is final once these `holders` have ended."""

    upto: Position
    holders: frozenset[str]


@dataclass(frozen=True, slots=True)
class Horizon:
    """`final`: everything at or below it is. `proof`: the one under way, of a position above it."""

    final: Position = 0
    proof: Proof | None = None

    def extended(self, final: Position) -> Horizon:
        """Return the horizon when everything at or below this position was found to be there, or to be final."""
        if final <= self.final:
            return self
        proof = None if self.proof is None or self.proof.upto <= final else self.proof
        return Horizon(final, proof)

    def after(self, look: Look) -> Horizon:
        """Return the horizon after another look, whose statement began when all earlier ones had ended."""
        if not look.everybody:
            return Horizon(max(self.final, look.top))
        horizon = self
        if self.proof is not None:
            left = (self.proof.holders & look.holders) | look.prepared
            if left:
                return Horizon(self.final, Proof(self.proof.upto, left))
            horizon = Horizon(self.proof.upto)
        if look.top <= horizon.final:
            return Horizon(horizon.final)
        return Horizon(horizon.final, Proof(look.top, look.everybody))


def readable(positions: Sequence[Position], *, after: Position, final: Position) -> int:
    """Return how many of these visible positions may be read: those up to the first hole that may yet be filled.

    `positions` rise, all above `after`, which is final; holes at or below `final` stay for ever.
    """
    if not positions or positions[-1] <= final or positions[-1] - after == len(positions):
        return len(positions)
    last = after
    for count, position in enumerate(positions):
        if position > final and position != max(last, final) + 1:
            return count
        last = position
    return len(positions)
