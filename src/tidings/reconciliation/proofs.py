"""What is proved once questions are answered. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tidings.reconciliation.floors import UNPROVED, Floors, shown
from tidings.reconciliation.places import Place, Range


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


@dataclass(frozen=True, slots=True)
class Proofs:
    """Those that wait, and what may be told."""

    floors: Floors = UNPROVED
    waiting: tuple[Proof, ...] = ()

    def opened(self, proof: Proof) -> Proofs:
        """Add a proof; what of it waits for nothing is told at once."""
        return replace(self, waiting=(*self.waiting, proof))._told()

    def answered(self, question: str) -> Proofs:
        """Take a question as answered."""
        return replace(self, waiting=tuple(each.without(question) for each in self.waiting))._told()

    def asked(self, at: Place, question: str) -> Proofs:
        """Let all that are not told yet, and hold this place, wait for one more question."""
        waiting = tuple(each.waiting(question) if at in each.range else each for each in self.waiting)
        return replace(self, waiting=waiting)

    def void(self, questions: Iterable[str]) -> Proofs:
        """Forget the proofs that wait for one of these: what they rest on was not so."""
        gone = set(questions)
        return replace(self, waiting=tuple(each for each in self.waiting if not gone & (each.puts | each.deletes)))

    def _told(self) -> Proofs:
        floors = self.floors
        for each in self.waiting:
            floors = each.show(floors)
        return Proofs(floors, tuple(each for each in self.waiting if not each.is_told))
