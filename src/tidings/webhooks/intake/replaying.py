"""The stored bytes of a receipt, made into events again: an operation of ours, not a delivery of the provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from tidings.errors import NotFoundError, RefusedError
from tidings.store.audit import Change, What
from tidings.store.driver import StoreDriver
from tidings.store.receipts import Arrival, Stored, no_receipt
from tidings.versions.retelling import Retelling
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.intake.roster import Roster
from tidings.webhooks.intake.translating import Making, arrival_of
from tidings.webhooks.receive.given import Given


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of it. `error`: why it is no events, still. `events`: type and id of each, in order."""

    n: int
    outcome: Literal["stored", "failed"]
    error: str | None
    events: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What a replay is done with."""

    store: StoreDriver
    retelling: Retelling
    roster: Roster
    making: Making


async def replay(again: Again, n: int, *, nonce: str, who: str = "local") -> Replayed:
    """Translate a receipt's bytes by the code as it is now, and append what comes of them, in one transaction.

    One that failed becomes the events that it should have been, under their own ids, once. Any other has been events,
    or is in conflict with some: its events are new ones, whose ids end in `~` and the nonce, so that the same nonce
    again adds nothing. What cannot be translated is noted with its error. NotFoundError; RefusedError if its body is
    pruned or its receiver is not there any more; ConflictError if one of its ids is in the log with other content.
    """
    stored, receiver = await _found(again, n)
    is_new = stored.receipt.outcome in ("failed", "dropped")
    arrival = _translated(receiver, stored, again, nonce="" if is_new else f"~{nonce}")
    events = await again.retelling.as_kept(event for made in arrival.events for event in made)
    error = arrival.received.error
    async with again.store.changing(_change(stored, who)) as changing:
        if error is None and stored.receipt.outcome == "failed":
            received = arrival.received
            await changing.finish_receipt(n, received.identities, received.items, at=again.making.now)
        else:
            await changing.note_replay(n, error, at=again.making.now)
        if events:
            changing.emit(events)
    return Replayed(
        n=n,
        outcome="stored" if error is None else "failed",
        error=error,
        events=tuple((event.type, event.id) for event in events),
    )


async def _found(again: Again, n: int) -> tuple[Stored, Receiver]:
    stored = await again.store.stored_receipt(n)
    if stored is None:
        if await again.store.receipt(n) is None:
            raise no_receipt(n)
        raise RefusedError(f"the body of the receipt {n} is pruned, so it cannot be replayed")
    receiver = await again.roster.find(stored.receipt.receiver)
    if receiver is None:
        raise NotFoundError("receiver", stored.receipt.receiver, hint=f"what the receipt {n} came to is removed")
    return stored, receiver


def _change(stored: Stored, who: str) -> Change:
    receipt = stored.receipt
    what: What = "redrive" if receipt.outcome == "failed" else "replay"
    return Change(who=who, what=what, on=f"receiver {receipt.receiver}", subject=f"receipt {receipt.n}")


def _translated(receiver: Receiver, stored: Stored, again: Again, *, nonce: str) -> Arrival:
    making = replace(again.making, nonce=nonce)
    return arrival_of(receiver, Given(stored.pairs, stored.body, receiver.facts(stored.method, stored.query)), making)
