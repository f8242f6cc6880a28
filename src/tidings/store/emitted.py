"""What a unit emits, as the appends that it becomes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.errors import Conflict, ConflictError
from tidings.events.envelope import Envelope
from tidings.log.driver import Receipt, Write

Emitted = tuple[Envelope, ...]
"""What one call of `emit` was given."""


def has_repeats(emitted: Sequence[Emitted]) -> bool:
    """Say whether an id stands in it twice: the second is judged against the first, once that is kept."""
    identities = [(envelope.source, envelope.id) for envelopes in emitted for envelope in envelopes]
    return len(set(identities)) < len(identities)


def writes_of(emitted: Sequence[Emitted]) -> list[Write]:
    """Return a write for each call that emitted something."""
    return [Write(envelopes=envelopes) for envelopes in emitted if envelopes]


def receipts_of(emitted: Sequence[Emitted], receipts: Sequence[Receipt]) -> list[Receipt]:
    """Return a receipt for each call, from those of `writes_of`."""
    left = iter(receipts)
    return [next(left) if envelopes else Receipt(outcome="appended") for envelopes in emitted]


def joined(receipts: Sequence[Receipt]) -> Receipt:
    """Return the receipt of a call whose envelopes were appended one by one."""
    positions = tuple(position for receipt in receipts for position in receipt.positions)
    known = frozenset(place for place, receipt in enumerate(receipts) if receipt.outcome == "duplicate")
    if receipts and len(known) == len(receipts):
        return Receipt(outcome="duplicate", positions=positions)
    return Receipt(outcome="appended", positions=positions, known=known)


def kept(receipts: Sequence[Receipt]) -> Sequence[Receipt]:
    """Return the receipts; ConflictError if one of them is of a refused write."""
    for receipt in receipts:
        if receipt.conflict is not None:
            raise ConflictError(_told(receipt.conflict), conflict=receipt.conflict)
    return receipts


def _told(conflict: Conflict) -> str:
    return (
        f"an emitted event was refused: ({conflict.source}, {conflict.id}) is kept at {conflict.position} "
        "with other content; nothing of the unit is kept"
    )
