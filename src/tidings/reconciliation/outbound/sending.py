"""Findings about what was sent, and what closes them: it is sent once more, or is taken to have been delivered."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from tidings.reconciliation.copy.repairing import Difference, finding_id
from tidings.reconciliation.kept.coding import Finding, Mirrored
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.rules.judging import DELETE, PUT, Kind, cause_of
from tidings.store.endpoint_deliveries import EndpointDelivery
from tidings.store.rows import Rank
from tidings.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Sent:
    """Sends an event once more, under the id that it had, in a run of its own: twice is once."""

    delivery: EndpointDelivery

    async def make(self, unit: Unit) -> None:
        await unit.deliver([self.delivery])


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Closes a delivery that was given up as delivered."""

    delivery: EndpointDelivery

    async def make(self, unit: Unit) -> None:
        await unit.acknowledge(self.delivery)


def run_of(finding: Finding) -> str:
    """Return the name of the run in which what was lost is sent once more: it follows from the finding."""
    return f"r-{finding.id[:16]}"


class Findings:
    """Makes the findings of one scope."""

    def __init__(self, scope: str) -> None:
        self._scope = scope

    def lost(self, held: Mirrored, run: Run, *, as_of: int, now: int) -> Finding:
        """Return that a receiver does not have what it took."""
        state = "proposed" if run.is_dry else "open"
        return self.made(Kind.DELIVERY_LOST, held, run, (as_of, 1, DELETE, 0), now=now, state=state)

    def conflict(self, held: Mirrored, run: Run, *, hash: int, as_of: int, now: int) -> Finding:
        """Return that it has something else under that id; somebody has to decide."""
        state = "proposed" if run.is_dry else "asked"
        return self.made(Kind.CONFLICT, held, run, (as_of, 1, PUT, hash), now=now, state=state)

    def unexpected(self, held: Mirrored, run: Run, *, as_of: int, now: int) -> Finding:
        """Return that it has what was given up here."""
        state = "proposed" if run.is_dry else "merged"
        return self.made(Kind.UNEXPECTED, held, run, (as_of, 1, PUT, held.rank.hash), now=now, state=state)

    def made(
        self, kind: Kind, held: Mirrored, run: Run, rank: tuple[int, int, int, int], *, now: int, state: str
    ) -> Finding:
        """Return a finding of this kind. `held`: what is kept here of its key."""
        base = held.rank
        return Finding(
            id=finding_id(self._scope, Difference(kind, held.key, held.at, Rank(*rank), base)),
            kind=kind.value,
            key=held.key,
            at=held.at,
            rank=rank,
            base=(base.at, base.settled, base.kind, base.hash),
            run=run.id,
            since=now,
            state=state,
            cause=cause_of(kind),
        )


def again(sent: EndpointDelivery, finding: Finding) -> Sent:
    """Return what sends it once more."""
    return Sent(replace(sent, run=run_of(finding)))
