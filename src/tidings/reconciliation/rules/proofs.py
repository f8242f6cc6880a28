"""What is proved once questions are answered. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidings.reconciliation.rules.floors import Floors, shown
from tidings.reconciliation.rules.places import Range


@dataclass(frozen=True, slots=True)
class Proof:
    """A range that was read whole. `puts`: what must be answered before its states may be told to be known; `deletes`:
    what must be besides before what is absent may. `proves_deletes`: False for a list filtered by change."""

    range: Range
    as_of: int
    puts: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    proves_deletes: bool = True

    def without(self, question: str) -> Proof:
        """Return the proof once a question is answered."""
        if question not in self.puts and question not in self.deletes:
            return self
        return replace(self, puts=self.puts - {question}, deletes=self.deletes - {question})

    def waiting(self, question: str) -> Proof:
        """Return the proof if it waits for one more, which an answer has opened."""
        return replace(self, puts=self.puts | {question})

    def show(self, floors: Floors) -> Floors:
        """Return the floors as far as this may be told."""
        if self.puts:
            return floors
        return shown(self.range, self.as_of, floors, deletes=self.proves_deletes and not self.deletes)

    @property
    def is_told(self) -> bool:
        """Whether nothing is left of it to wait for."""
        return not self.puts and not (self.deletes and self.proves_deletes)
