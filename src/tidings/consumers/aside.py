"""The entries of a consumer that are set aside with their subjects."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.events.envelope import Entry
from tidings.events.identity import lane_subject
from tidings.store.driver import StoreDriver
from tidings.store.reason import Reason
from tidings.store.unit import Unit


class Aside:
    """Sets entries aside, and puts later ones of the same subjects behind them.

    Only the owner of a partition sets its entries aside, in units that its claim fences. So who has looked since it
    claimed knows whether there are any, and need not ask in each unit. The one exception does no harm: appends set
    entries aside for an inline table that is still being built, and folds hold each entry once, in whatever order.
    """

    def __init__(self, consumer: str, store: StoreDriver) -> None:
        self._consumer = consumer
        self._store = store
        self.is_known = False
        self.is_empty = False
        self.entries = 0

    def forget(self) -> None:
        """Take nothing for granted: until the partitions were claimed, they were somebody else's."""
        self.is_known = self.is_empty = False

    async def learn(self) -> None:
        """Count what is set aside."""
        self.entries = sum(parked.entries for parked in await self._store.parked(self._consumer))
        self.is_empty = self.entries == 0
        self.is_known = True

    async def free(self, unit: Unit, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Put followers of parked subjects behind them; return the other entries."""
        if self.is_empty or not entries:
            return entries
        subjects = [subject_of(entry) for entry in entries]
        parked = await unit.parked(self._consumer, sorted(set(subjects)))
        if not parked:
            return entries
        behind: dict[str, list[Entry]] = {}
        for subject, entry in zip(subjects, entries, strict=True):
            if subject in parked:
                behind.setdefault(subject, []).append(entry)
        for subject, waiting in behind.items():
            await unit.park(self._consumer, subject, waiting, None)
            self.entries += len(waiting)
        return [entry for subject, entry in zip(subjects, entries, strict=True) if subject not in parked]

    async def park(self, unit: Unit, entry: Entry, reason: Reason) -> None:
        """Set a failing entry aside; its subject waits with it."""
        self.is_empty = False
        self.entries += 1
        await unit.park(self._consumer, subject_of(entry), [entry], reason)


def subject_of(entry: Entry) -> str:
    """Return what the entry is ordered and parked by."""
    envelope = entry.envelope
    return lane_subject(envelope.source, envelope.id, envelope.subject)
