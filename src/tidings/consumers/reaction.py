"""What a consumer carries entries to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tidings.events.envelope import Entry
from tidings.store.unit import Unit


class Reaction(Protocol):
    """Handlers of a service, or the folds of one table of a view. `name`: of the consumer.

    `types`: what it reads; None: every type. One with a member `partitions` has so many: 1 where it keeps the order of
    the whole log; the others have as many as the store finds good.
    `spans`: it locks rows that other partitions need too, those of one call in order.
    """

    name: str
    spans: bool

    @property
    def types(self) -> frozenset[str] | None: ...

    async def apply(self, unit: Unit, entries: Sequence[Entry], *, gated: bool = False) -> None:
        """React to entries, in log order, within the unit; it may be run again at any time.

        `gated`: these entries were settled before, in a run that is now replayed: nothing is emitted or delivered.
        Whatever it raises says that one of the entries failed, unless it is one of `tidings.errors`' own errors of
        the store, the log or a lost lease.
        """


def partitions_of(reaction: Reaction) -> int | None:
    """Return how many partitions the consumer of this reaction must have; None: as many as the store finds good."""
    found: int | None = getattr(reaction, "partitions", None)
    return found
