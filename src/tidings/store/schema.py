"""The numbered steps by which a back end's tables came about, and how far a database is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["none", "behind", "current", "ahead", "newer"]


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the tables, forward only. `files`: where its `statements` are written.

    `oldest`: programs that know this schema, or a later one, go on working after it.
    """

    number: int
    oldest: int
    files: tuple[str, ...]
    statements: str

    @property
    def spares(self) -> bool:
        """Whether programs of the release before may run, and start, beside it."""
        return self.oldest < self.number


@dataclass(frozen=True, slots=True)
class Schema:
    """How far a database is. `found`: its last step, 0 for none; `oldest`: the first that a program must know of.

    `steps`: those that this release knows, in order.
    """

    found: int
    oldest: int
    steps: Sequence[Step]

    @property
    def known(self) -> int:
        return self.steps[-1].number

    @property
    def pending(self) -> Sequence[Step]:
        """The steps that the database lacks."""
        return [step for step in self.steps if step.number > self.found]

    @property
    def state(self) -> State:
        """ "ahead": a newer release's, which this one may still use; "newer": which it may not."""
        if self.found == 0:
            return "none"
        if self.pending:
            return "behind"
        if self.found == self.known:
            return "current"
        return "ahead" if self.oldest <= self.known else "newer"

    @property
    def refusal(self) -> str | None:
        """Why this release cannot run on it, and the command to run; None if it can."""
        if self.state == "newer":
            return (
                f"it has schema {self.found}, made by a newer release of tidings, and this release knows schema "
                f"{self.known}: run `pip install --upgrade tidings`"
            )
        if self.pending:
            return f"it has schema {self.found}, and this release needs {self.known}: run `tidings migrate apply`"
        return None
