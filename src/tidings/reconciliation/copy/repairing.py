"""Findings, and the events that repair them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

from msgspec.structs import replace

from tidings.errors import CallerError
from tidings.events.catalog import Catalog
from tidings.events.envelope import Envelope
from tidings.events.identity import lane_subject
from tidings.events.timestamp import time_text
from tidings.reconciliation.copy.copying import UnreadableError
from tidings.reconciliation.kept.coding import Finding
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.listing import WHY_MAX, Listing, Row
from tidings.reconciliation.rules.judging import DELETE, Kind, cause_of
from tidings.store.rows import Rank
from tidings.store.unit import Unit

SOURCE = "/tidings/reconcile"
SCOPE, RANK = "reconcilescope", "reconcilerank"
"""The attributes of a repair that say of which scope it is, and by what it is ordered."""


def finding_id(scope: str, of: Difference) -> str:
    """Return the id of a difference: it follows from what is here and what is there, so that who finds it twice has
    found one, while it is found anew after each repair."""
    digest = blake2b(digest_size=16)
    base, times = None if of.base is None else tuple(of.base), [f"{of.purged}"] if of.purged else []
    for part in (scope, of.key, repr(base), str(of.rank.hash), str(of.rank.kind), *times):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


def noted_id(kind: Kind, id: str) -> str:
    """Return the id of what is noted beside a difference of this id."""
    return blake2b(f"{kind}:{id}".encode(), digest_size=16).hexdigest()


class Repair(Protocol):
    """What closes a difference."""

    async def make(self, unit: Unit) -> None:
        """Do it, in the transaction in which the difference is noted."""


async def carried_out(unit: Unit, repairs: Iterable[Repair]) -> None:
    """Make repairs, in their order."""
    for each in repairs:
        await each.make(unit)


@dataclass(frozen=True, slots=True)
class Appended:
    """An event that says what is true."""

    event: Envelope

    async def make(self, unit: Unit) -> None:
        unit.emit([self.event])


@dataclass(frozen=True, slots=True)
class Difference:
    """What is here of a key, and what there should be. `rank`: of the repair; `base`: of what is here. `age`: how long
    before it was read the item became so, µs; None if nobody says that.

    `purged`: how many tombstones of the scope were removed: without them nothing else tells an item that comes back as
    it was from the one that was there before.
    """

    kind: Kind
    key: str
    at: bytes
    rank: Rank
    base: Rank | None
    age: int | None = None
    purged: int = 0


class Repairs:
    """Makes the events of one scope."""

    def __init__(self, scope: str, listing: Listing, catalog: Catalog) -> None:
        self._scope = scope
        self._listing = listing
        self._catalog = catalog

    def finding(self, of: Difference, run: Run, *, now: int) -> Finding:
        """Return what a run has found."""
        rank, base = of.rank, of.base
        return Finding(
            id=finding_id(self._scope, of),
            kind=of.kind.value,
            key=of.key,
            at=of.at,
            rank=(rank.at, rank.settled, rank.kind, rank.hash),
            base=None if base is None else (base.at, base.settled, base.kind, base.hash),
            run=run.id,
            since=now,
            state="proposed" if run.is_dry else "open",
            cause=cause_of(of.kind),
            due=now - (of.age or 0) + run.grace,
            changed=None if of.age is None else now - of.age,
        )

    def noted(self, of: Difference, run: Run, *, now: int) -> Finding:
        """Return what a run has found of which no repair follows."""
        found = self.finding(of, run, now=now)
        state = "parked" if of.kind is Kind.PARKED else "waived"
        return replace(found, id=noted_id(of.kind, found.id), state=state)

    def repaired(self, of: Difference, run: Run, row: Row | None, *, now: int, time: int) -> tuple[Finding, Appended]:
        """Return what a run has found, and the event that repairs it. See `event`."""
        finding = self.finding(of, run, now=now)
        repair = self.event(finding, row, now=now, time=time)
        event = repair.event
        return replace(finding, subject=lane_subject(event.source, event.id, event.subject)), repair

    def event(self, finding: Finding, row: Row | None, *, now: int, time: int) -> Appended:
        """Return the event that repairs it, to be appended. `row`: what the provider shows, None if it is gone; `time`:
        when it became so, as far as that is known. UnreadableError if no event can say it, as one that is too large."""
        event: Any
        try:
            event = self._listing.deleted(finding.key) if row is None else self._listing.observed(row)
        except Exception as error:  # the adapter's: what it cannot tell of one item is no reason to leave others
            raise UnreadableError(
                f"{finding.key!r:.80}: no event: {type(error).__name__}: {error}"[:WHY_MAX]
            ) from error
        try:
            made = self._catalog.envelope(
                event,
                id=finding.id,
                source=SOURCE,
                now_us=now,
                attributes={SCOPE: self._scope, RANK: rank_text(Rank(*finding.rank))},
            )
        except CallerError as error:
            raise UnreadableError(f"{finding.key!r:.80}: {error}") from error
        return Appended(replace(made, time=time_text(time), time_stamped=True))


def rank_text(rank: Rank) -> str:
    """Return what a repair says of its rank; its kind and its hash follow from its data."""
    return f"{rank.at}/{rank.settled}"


def rank_told(text: str, *, kind: int, hash: int) -> Rank:
    """Return the rank that a repair says."""
    at, _, settled = text.partition("/")
    return Rank(int(at), int(settled), kind, 0 if kind == DELETE else hash)
