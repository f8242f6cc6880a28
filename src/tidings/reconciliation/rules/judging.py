"""What one row that a provider lists says about what is here. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tidings.reconciliation.rules.facts import Capability
from tidings.reconciliation.rules.floors import Known
from tidings.store.rows import Rank

PUT, DELETE = 0, 1


class Kind(StrEnum):
    """What a finding is of."""

    MISSING = "missing"
    STALE = "stale"
    DIFFERS = "differs"
    WENT_BACK = "went_back"
    EXTRA = "extra"
    """Gone there."""
    TIE = "tie"
    """Of one tick there were two states, and the copy has the other one."""
    OMITTED = "omitted"
    """It was there when a list did not show it."""
    TOTAL_DIFFERS = "total_differs"
    """The provider counts other than it lists."""
    ASOF_FALSE = "asof_false"
    """It was told that the copy has this state, and it had not."""
    PARKED = "parked"
    """Its repair waits with its subject, of which the copy could not take an event in."""
    DELIVERY_LOST = "delivery_lost"
    CONFLICT = "conflict"
    UNEXPECTED = "unexpected"
    FOREIGN = "foreign"
    """Changed at the party that should hold it, or removed, by somebody else."""


NOTED = frozenset({Kind.OMITTED, Kind.TOTAL_DIFFERS, Kind.ASOF_FALSE, Kind.PARKED})
"""What no repair of its own follows from."""
BROKEN = frozenset({Kind.DIFFERS, Kind.WENT_BACK})
"""What no lost event explains: the provider changed an item without a new version, or went back to an old one."""


OUTBOUND = {
    Kind.DELIVERY_LOST: "provider",
    Kind.CONFLICT: "foreign",
    Kind.UNEXPECTED: "lost",
    Kind.FOREIGN: "foreign",
}
"""Of what was sent: it was taken and is not there; it is there as it was not sent; it is there, and the answers that
said so were lost; somebody else has changed it."""


def cause_of(kind: str) -> str:
    """Return why a difference came to be, as far as it says so itself."""
    if kind == Kind.PARKED:
        return "handler"
    if kind in OUTBOUND:
        return OUTBOUND[Kind(kind)]
    return "provider" if kind in BROKEN or kind in NOTED else "unknown"


class Verdict(StrEnum):
    """What is done about a row. `OLD`: a newer proof knows more. `NEWER_HERE`: the read is too old to judge ours."""

    EQUAL = "equal"
    OLD = "old"
    NEWER_HERE = "newer_here"
    READ_AGAIN = "read_again"
    REPAIR = "repair"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A state of one key as the provider showed it.

    `version`: the start of its tick in µs, where items have one that can be believed. `hash`: of the state, keyed.
    `as_of`: of the read. `ticket`: of the read, where nothing else orders reads; `is_overlapped`: another read of the
    key was under way since the ticket was taken.
    """

    hash: int
    as_of: int
    version: int | None = None
    ticket: int = 0
    is_overlapped: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows from a row. `kind` and `rank`: of the repair, if one is needed."""

    verdict: Verdict
    kind: Kind | None = None
    rank: Rank | None = None


def age_of(read: Read, rank: Rank) -> int | None:
    """Return how long before it was read an item became what it is ranked as, µs; None if its version does not say."""
    return max(0, read.as_of - rank.at) if rank.at == read.version else None


def rank_of(read: Read, capability: Capability) -> Rank:
    """Return what orders a state that was read."""
    if capability is Capability.VERSIONED and read.version is not None:
        return Rank(read.version, int(read.version <= read.as_of), PUT, read.hash)
    return Rank(read.ticket if capability is Capability.BARE else read.as_of, 1, PUT, read.hash)


def floor_of(known: Known, key_floor: int, base: Rank | None) -> int:
    """Return up to when all about a key is known. `base`: what is here of it."""
    return max(key_floor, known.put if base is None else known.delete)


def judge(read: Read, base: Rank | None, floor: int, capability: Capability) -> Judgement:
    """Judge a row that a list shows. `base`: the newer of what the mirror holds and of what an open finding will make
    of it; `floor`: see `floor_of`."""
    is_bare = capability is Capability.BARE
    if is_bare and read.is_overlapped:
        return Judgement(Verdict.READ_AGAIN)
    rank = rank_of(read, capability)
    if read.as_of < floor and (rank.at <= floor or (is_bare and base is None)):
        return Judgement(Verdict.OLD)
    if base is not None and base.kind == PUT and base.hash == read.hash:
        return Judgement(Verdict.EQUAL)
    if base is None and capability is Capability.VERSIONED and rank.at <= floor:
        # By proof there was none by then: it is back as it was, and the log may have a delete that is later than that.
        return Judgement(Verdict.REPAIR, Kind.MISSING, Rank(read.as_of, 1, PUT, read.hash))
    if base is None or rank > base:
        return Judgement(Verdict.REPAIR, _kind_of(read, rank, base), rank)
    if capability is Capability.VERSIONED and base.at <= read.as_of:
        kind = Kind.DIFFERS if rank.at == base.at else Kind.WENT_BACK
        return Judgement(Verdict.REPAIR, kind, Rank(read.as_of, 1, PUT, read.hash))
    return Judgement(Verdict.NEWER_HERE)


def _kind_of(read: Read, rank: Rank, base: Rank | None) -> Kind:
    """Return what a state is that beats what is here: nothing but the order of hashes may have it win."""
    if base is None or base.kind != PUT:
        return Kind.MISSING
    if rank.at != base.at or rank.at != read.version or not rank.settled:
        return Kind.STALE
    return Kind.DIFFERS if base.settled else Kind.TIE


def is_absent(base: Rank, *, as_of: int, ticket: int, capability: Capability) -> bool:
    """Say whether a live key that a list does not show is to be asked about: what is newer cannot be judged."""
    if base.kind == DELETE:
        return False
    return base.at < ticket if capability is Capability.BARE else base.at <= as_of


def gone(as_of: int, ticket: int, capability: Capability) -> Rank:
    """Return what orders a delete that an answer proved."""
    return Rank(ticket if capability is Capability.BARE else as_of, 1, DELETE, 0)
