"""Dead letters, and what was done to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tidings.events.timestamp import time_text
from tidings.faces.tokens import Tokens
from tidings.operations.dead import UNTRANSLATED, written
from tidings.operations.letter_acts import GivenUp, Redriven
from tidings.operations.letters import DeliveryLetter, HandlerLetter, Letter, ReceiptLetter, entry_of
from tidings.store.letters import DeadDelivery
from tidings.store.parking import Parked
from tidings.store.receipts import Receipt


def letter_object(tokens: Tokens, found: Letter) -> dict[str, Any]:
    """Return a dead letter of any kind, without its event. What its kind has nothing of is None."""
    match found:
        case HandlerLetter():
            own = _of_handler(found.parked)
        case DeliveryLetter():
            own = _of_delivery(found.delivery)
        case ReceiptLetter():
            own = _of_receipt(found.receipt)
    entry = entry_of(found)
    envelope = None if entry is None else entry.envelope
    return {
        "dead_letter": found.name,
        "kind": own.pop("kind"),
        **dict.fromkeys(("consumer", "endpoint", "service", "function", "receiver")),
        "is_head": found.is_head,
        "position": None if entry is None else tokens.write(entry.position),
        "source": None if envelope is None else envelope.source,
        "id": None if envelope is None else envelope.id,
        "type": None if envelope is None else envelope.type,
        "dataversion": None if envelope is None else envelope.version,
        **own,
    }


def _of_handler(parked: Parked) -> dict[str, Any]:
    return {
        "kind": "handler",
        "consumer": parked.consumer,
        "subject": written(parked.subject),
        "state": parked.state,
        "reason": parked.reason,
        "error": parked.error,
        "attempts": parked.attempts,
        "next_at": None if parked.next_at is None else time_text(parked.next_at),
        "parked_at": time_text(parked.parked_at),
        "followers": parked.entries - 1,
    }


def _of_delivery(delivery: DeadDelivery) -> dict[str, Any]:
    told = {} if delivery.type is None else {"type": delivery.type}  # the log may not have the event any more
    return {
        "kind": "delivery",
        "endpoint": delivery.endpoint,
        "service": delivery.service,
        "function": delivery.function,
        "subject": delivery.subject,
        "state": "dead",
        "reason": delivery.reason or "unknown",
        "error": delivery.error or "",
        "attempts": delivery.attempts,
        "next_at": None,
        "parked_at": time_text(delivery.closed),
        "followers": delivery.followers,
        **told,
    }


def _of_receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "kind": "receipt",
        "receiver": receipt.receiver,
        "subject": None,
        "state": "dead",
        "reason": UNTRANSLATED,
        "error": receipt.error or "",
        "attempts": 1 + receipt.replays,
        "next_at": None,
        "parked_at": time_text(receipt.received),
        "followers": 0,
        "source": receipt.source,
    }


def whole_letter_object(tokens: Tokens, found: Letter, event: bytes | None, names: Sequence[str]) -> dict[str, Any]:
    """Return a dead letter with its event, which is JSON already, and the names of all that wait with its subject."""
    shown = None if event is None else msgspec.Raw(event)
    return {**letter_object(tokens, found), "event": shown, "subject_letters": list(names)}


def redriven_object(done: Redriven, *, dry_run: bool) -> dict[str, Any]:
    """Return how many were given back, or would have been. `failed`: how many could not be."""
    return {"subjects": done.subjects, "entries": done.entries, "failed": done.failed, "dry_run": dry_run}


def dropped_object(done: GivenUp, *, dry_run: bool) -> dict[str, Any]:
    """Return of how many subjects what failed was given up, or would have been, and how many entries wait on."""
    return {"subjects": done.subjects, "left": done.left, "dry_run": dry_run}


def given_up_object(name: str, *, left: int, dry_run: bool) -> dict[str, Any]:
    """Return which dead letter was given up, or would have been, and how many entries of its subject wait on."""
    return {"dead_letter": name, "left": left, "dry_run": dry_run}
