"""Receivers and what came to them, as every face shows them."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tidings.events.cloudevents import write_structured
from tidings.events.timestamp import time_text
from tidings.operations.receipts_again import ReplayedAll
from tidings.operations.receiver_shown import Shown
from tidings.operations.receiver_trial import Trial
from tidings.store.receipts import Receipt, Stored
from tidings.webhooks.intake.replaying import Replayed

OUTCOMES = ("stored", "failed", "conflict", "dropped")


def receiver_object(found: Shown) -> dict[str, Any]:
    """Return a receiver. Its secrets are known by their number, and its settings, some of which are, by their names."""
    return {
        "receiver": found.id,
        "preset": found.preset,
        "source": found.source,
        "public_url": found.public_url,
        "expected_every_s": None if found.every is None else found.every / 1_000_000,
        "setting_names": list(found.setting_names),
        "secrets": found.secrets,
        "state": found.state,
        "reason": found.reason,
        "declared": found.declared,
        "created": _time(found.created),
        "version": found.version,
        "last_seen": _time(found.last),
        "silent": found.is_silent,
        "counts": {name: found.tally.outcomes.get(name, 0) for name in OUTCOMES} | {"repeats": found.tally.repeats},  # type: ignore[call-overload]
    }


def receipt_object(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as lists show it. `bytes`: of the body; None: it is pruned."""
    return {
        "receipt": receipt.n,
        "receiver": receipt.receiver,
        "source": receipt.source,
        "received": time_text(receipt.received),
        "outcome": receipt.outcome,
        "error": receipt.error,
        "events": [{"type": type, "id": id} for type, id in json.loads(receipt.items)],
        "seen": receipt.seen,
        "last_seen": time_text(receipt.last_seen),
        "replayed": _time(receipt.replayed),
        "replays": receipt.replays,
        "bytes": receipt.bytes,
    }


def whole_receipt_object(receipt: Receipt, stored: Stored | None) -> dict[str, Any]:
    """Return a receipt with its request's line and headers, credentials masked; None where they are pruned."""
    return {
        **receipt_object(receipt),
        "method": None if stored is None else stored.method,
        "query": None if stored is None else stored.query.decode("latin-1"),
        "headers": None if stored is None else [{"name": name, "value": value} for name, value in headers_of(stored)],
    }


def headers_of(stored: Stored) -> list[tuple[str, str]]:
    """Return the names and values of a request's headers, credentials masked."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in stored.pairs]


def replayed_object(receiver: str, done: Replayed) -> dict[str, Any]:
    """Return what became of a replay. `error`: why it is no events, still."""
    return {
        "receiver": receiver,
        "receipt": done.n,
        "outcome": done.outcome,
        "error": done.error,
        "events": [{"type": type, "id": id} for type, id in done.events],
    }


def replayed_all_object(receiver: str, done: ReplayedAll) -> dict[str, Any]:
    """Return what became of all that was replayed. `run`: null for a dry run. `left`: what is no events, and why."""
    return {
        "receiver": receiver,
        "run": None if done.run is None else time_text(done.run),
        "dry_run": done.run is None,
        "receipts": done.receipts,
        "events": done.events,
        "left": [{"receipt": n, "error": error} for n, error in done.left],
    }


def trial_object(tried: Trial) -> dict[str, Any]:
    """Return what a request would become. `events`: all that it says, as CloudEvents; `new`: how many are added."""
    return {
        "receiver": tried.receiver,
        "outcome": tried.outcome,
        "status": tried.status,
        "reason": tried.reason,
        "error": tried.error,
        "scheme": tried.scheme,
        "key": tried.key,
        "signed": _time(tried.signed),
        "repeats": tried.repeats,
        "new": tried.new,
        "events": [msgspec.Raw(write_structured(each)) for each in tried.events],
    }


def _time(at: int | None) -> str | None:
    return None if at is None else time_text(at)
