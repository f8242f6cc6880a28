"""How much is done in one unit: others may wait for as long as it lasts."""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_LIMIT = 100
LEAST_LIMIT = 10
MOST_LIMIT = 1_000
OVERRUN = 1.25  # one more call for a small rest costs more than it saves


@dataclass(frozen=True, slots=True)
class Pace:
    """`budget`: seconds that a unit should last at most. `limit`: entries to read next. `each`: seconds that one entry
    took lately; None: nobody knows yet."""

    budget: float
    limit: int = FIRST_LIMIT
    each: float | None = None

    def slice(self, left: int, *, spent: float) -> int:
        """Return how many of the `left` entries to handle next, after `spent` seconds in this unit; 0 to end it."""
        seconds = self.budget - spent
        if seconds <= 0:
            return 0
        if self.each is None:
            return min(left, 1)
        if self.each * left <= seconds * OVERRUN:
            return left
        fits = int(seconds / self.each)
        return fits if spent > 0 else max(1, fits)

    def took(self, entries: int, seconds: float) -> Pace:
        """Return the pace after these entries, all that the unit has handled so far, took so many seconds."""
        return replace(self, each=seconds / entries) if entries else self

    def read(self, done: int, entries: int) -> Pace:
        """Return the pace after a unit did `done` of the `entries` that were read."""
        if done < entries:
            return replace(self, limit=max(LEAST_LIMIT, min(self.limit, done)))
        if entries >= self.limit:
            return replace(self, limit=min(MOST_LIMIT, self.limit * 2))
        return self
