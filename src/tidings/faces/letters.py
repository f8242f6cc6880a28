"""Dead letters, and what was done to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from tidings.events.timestamp import time_text
from tidings.faces.tokens import Tokens
from tidings.operations.dead import name_of, written
from tidings.operations.letters import Letter
from tidings.store.parking import DeadLetter


def letter_object(tokens: Tokens, found: Letter) -> dict[str, Any]:
    """Return a dead letter, without its event."""
    parked, envelope = found.parked, found.letter.entry.envelope
    return {
        "dead_letter": found.name,
        "kind": "handler",
        "consumer": parked.consumer,
        "subject": written(parked.subject),
        "state": parked.state,
        "reason": parked.reason,
        "error": parked.error,
        "attempts": parked.attempts,
        "next_at": None if parked.next_at is None else time_text(parked.next_at),
        "parked_at": time_text(parked.parked_at),
        "is_head": found.is_head,
        "followers": parked.entries - 1,
        "position": tokens.write(found.letter.entry.position),
        "source": envelope.source,
        "id": envelope.id,
        "type": envelope.type,
        "dataversion": envelope.version,
    }


def whole_letter_object(tokens: Tokens, found: Letter, event: bytes, waiting: Iterable[DeadLetter]) -> dict[str, Any]:
    """Return a dead letter with its event, which is JSON already, and the names of all that wait with its subject."""
    names = [name_of(each.consumer, each.entry.position) for each in waiting]
    return {**letter_object(tokens, found), "event": msgspec.Raw(event), "subject_letters": names}


def redriven_object(*, subjects: int, entries: int, dry_run: bool) -> dict[str, Any]:
    """Return how many were given back to their handlers, or would have been."""
    return {"subjects": subjects, "entries": entries, "dry_run": dry_run}


def dropped_object(*, subjects: int, left: int, dry_run: bool) -> dict[str, Any]:
    """Return of how many subjects what failed was given up, or would have been, and how many entries wait on."""
    return {"subjects": subjects, "left": left, "dry_run": dry_run}


def given_up_object(name: str, *, left: int, dry_run: bool) -> dict[str, Any]:
    """Return which dead letter was given up, or would have been, and how many entries of its subject wait on."""
    return {"dead_letter": name, "left": left, "dry_run": dry_run}
