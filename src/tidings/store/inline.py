"""Views that are folded where an append is made, in its transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tidings.events.envelope import Entry
from tidings.log.driver import Receipt, Write
from tidings.store.rows import ViewRecord
from tidings.store.unit import Unit


class InlineFolds(Protocol):
    """Folds that run in the append's own transaction, where log and store share it.

    `stamps`: event type -> shapes of the inline views of this process that fold it. An append whose types are fed to an
    inline table, current or building, of a shape that this process does not hold is refused with InlineViewError: it
    would leave that table behind.
    """

    stamps: Mapping[str, frozenset[str]]

    async def apply(self, unit: Unit, entries: Sequence[Entry], tables: Sequence[ViewRecord]) -> None:
        """Fold entries whose positions are drawn and which commit with this unit. A failing fold parks its subject.

        `tables`: the inline tables, current and building, as this transaction sees them, of the entries' types. From
        the commit of a building one on, every appender of every process thus writes it too.
        """


class InlineAppends(Protocol):
    """The part of the store that folds inline views in the append's transaction."""

    async def inline_flush(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        """Append, and fold what is new, in one unit. InlineViewError if this process does not hold the folds."""
