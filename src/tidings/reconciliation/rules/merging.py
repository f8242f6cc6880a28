"""What becomes of an event of a scope when it is carried: merged, known already, or a reason to ask. Pure."""

from __future__ import annotations

from enum import StrEnum

from tidings.reconciliation.rules.floors import Known
from tidings.reconciliation.rules.judging import PUT
from tidings.store.rows import Rank


class Merge(StrEnum):
    """`LATE`: all that the event could say is known since; it writes nothing, and that is written down, so that a
    replay decides the same. `LATE_UNKNOWN`: the same, and its key is read, since by proof there is none.
    `AHEAD`: its time is not there yet; the key is read instead."""

    BY_RANK = "by_rank"
    LATE = "late"
    LATE_UNKNOWN = "late_unknown"
    AHEAD = "ahead"


def merged(rank: Rank, known: Known, key_floor: int, *, is_known: bool, latest: int) -> Merge:
    """Decide about a snapshot that reconciliation has not caused itself.

    `rank`: of the event; `known`: at its place in the order; `is_known`: the mirror has a row of its key; `latest`: the
    last tick that a stamp is believed to be of, µs.
    """
    floor = max(key_floor, known.put if rank.kind == PUT else known.delete)
    if rank.at <= floor:
        return Merge.LATE if rank.kind != PUT or is_known else Merge.LATE_UNKNOWN
    return Merge.AHEAD if rank.at > latest else Merge.BY_RANK


def is_tie(new: Rank, base: Rank | None) -> bool:
    """Say whether nothing but the content tells two states apart: the key is read once their tick has closed."""
    return base is not None and new[:2] == base[:2] and new[2:] != base[2:]
