"""What the log has of an item, read anew: whether what was found was told here all along."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tidings.events.declaration import declared_class
from tidings.events.envelope import Entry
from tidings.events.identity import lane_subject
from tidings.log.driver import History
from tidings.reconciliation.copy.copying import Copying, UnreadableError
from tidings.reconciliation.copy.repairing import SOURCE
from tidings.reconciliation.kept.coding import Finding
from tidings.reconciliation.listing import CopyScope, Snapshot
from tidings.reconciliation.rules.facts import Capability
from tidings.reconciliation.rules.judging import DELETE, PUT, Kind
from tidings.store.rows import Rank
from tidings.views.fold import UNREADABLE
from tidings.views.ranks import time_rank


class Entries(Protocol):
    """The part of a log that is read."""

    async def history(self, wanted: History) -> Sequence[Entry]: ...


@dataclass(frozen=True, slots=True)
class Said:
    """What one entry says of an item."""

    position: int
    rank: Rank


class Refolding:
    """Reads the entries of one item of a scope."""

    def __init__(
        self, log: Entries, scope: CopyScope, *, copying: Callable[[bytes], Copying], reads: Callable[[Entry], Any]
    ) -> None:
        self._log = log
        self._listing = scope.listing
        self._types = frozenset(declared_class(each).type for each in scope.events)
        self._copying = copying
        self._reads = reads

    async def said(self, secret: bytes, found: Sequence[Finding], *, upto: int) -> Mapping[str, Sequence[Said]]:
        """Return by the id of each finding what all entries of its subject say of its item that no run has caused, up
        to this position."""
        if self._listing.facts.capability is Capability.BARE:  # its events say nothing that could be compared
            return {}
        of: dict[str, list[Finding]] = {}
        for each in found:
            of.setdefault(each.subject or "", []).append(each)
        entries = await self._log.history(History(subjects=sorted(of), types=self._types, upto=upto))
        copying = self._copying(secret)
        said: dict[str, list[Said]] = {each.id: [] for each in found}
        for entry in entries:
            envelope = entry.envelope
            for each in of.get(lane_subject(envelope.source, envelope.id, envelope.subject), ()):
                one = None if envelope.source == SOURCE else self._of(copying, entry, each.key)
                said[each.id] += [] if one is None else [one]
        return said

    def _of(self, copying: Copying, entry: Entry, key: str) -> Said | None:
        try:
            snapshot = self._listing.read(self._reads(entry), entry.envelope)
            if not isinstance(snapshot, Snapshot) or snapshot.key != key:
                return None
            _, hash, when = copying.told(snapshot, at=time_rank(entry))
        except (UnreadableError, *UNREADABLE):
            return None
        return Said(entry.position, Rank(when, 0, DELETE if snapshot.state is None else PUT, hash))


def refolded_cause(found: Finding, said: Sequence[Said]) -> str:
    """Return why something was found of which the copy has taken these in. Pure.

    Of one version two states were told: the provider's stamps do not tell them apart. One was, or what is found was
    told last: it was merged here, and the copy still differs.
    """
    if found.kind not in (Kind.MISSING, Kind.STALE, Kind.TIE, Kind.EXTRA) or not said:
        return found.cause
    rank = Rank(*found.rank)
    if found.changed is not None:
        same = {each.rank.hash for each in said if each.rank.at == rank.at and each.rank.kind == rank.kind}
        if len(same) > 1:
            return "provider"
        return "handler" if same else found.cause
    last = max(each.rank for each in said)
    return "handler" if last[2:] == rank[2:] else found.cause
