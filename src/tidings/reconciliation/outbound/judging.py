"""What a row that a receiver lists says about what was sent to it. Pure."""

from __future__ import annotations

from enum import StrEnum

from tidings.reconciliation.outbound.listed import UNTOLD
from tidings.reconciliation.rules.judging import PUT
from tidings.store.rows import Rank


class Shown(StrEnum):
    """`UNKNOWN`: nothing is kept here of it. `PENDING`: it is being sent once more. `GIVEN_UP`: every attempt failed,
    as was thought."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    EQUAL = "equal"
    OTHER = "other"
    GIVEN_UP = "given_up"


def shown(hash: int, base: Rank | None, *, is_pending: bool) -> Shown:
    """Judge an id that is listed. `base`: of the delivery, when it closed, delivered (PUT) or dead; `hash`: as told."""
    if base is None:
        return Shown.UNKNOWN
    if is_pending:
        return Shown.PENDING
    if base.kind != PUT:
        return Shown.GIVEN_UP
    return Shown.EQUAL if hash == base.hash or UNTOLD in (hash, base.hash) else Shown.OTHER


def is_missed(base: Rank, *, as_of: int, is_pending: bool) -> bool:
    """Say whether an id that is not listed should be: it was delivered before the list was made."""
    return base.kind == PUT and base.at <= as_of and not is_pending
