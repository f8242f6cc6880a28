"""Consumers: how far each is behind the log, who holds it, and what it was set back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidings.events.timestamp import time_text
from tidings.faces.tokens import Tokens
from tidings.operations.lag import ConsumerLag, PartitionLag
from tidings.operations.replay import Replay
from tidings.store.claims import Checkpoint


def consumer_object(tokens: Tokens, found: ConsumerLag, checkpoints: Mapping[int, Checkpoint]) -> dict[str, Any]:
    """Return a consumer with each of its partitions, whose checkpoints these are."""
    return {
        "consumer": found.name,
        "state": found.state,
        "declared": found.declared,
        "paused": found.paused,
        "expired": tokens.write_any(found.expired),
        "types": None if found.types is None else sorted(found.types),
        "head": tokens.write(found.head),
        "checkpoint": tokens.write_any(found.checkpoint),
        "lag": _lag(found),
        "parked": found.parked,
        "retrying": found.retrying,
        "dead": found.dead,
        "dead_letters": found.dead_letters,
        "partitions": [_partition(tokens, each, checkpoints.get(each.part)) for each in found.partitions],
    }


def replayed_object(tokens: Tokens, done: Replay) -> dict[str, Any]:
    """Return what a consumer was set back to."""
    return {
        "consumer": done.consumer,
        "after": tokens.write(done.after),
        "gate": tokens.write(done.gate),
        "entries": done.entries,
        "at_least": done.at_least,
    }


def _partition(tokens: Tokens, found: PartitionLag, checkpoint: Checkpoint | None) -> dict[str, Any]:
    until = None if checkpoint is None else checkpoint.until
    return {
        "partition": found.part,
        "checkpoint": tokens.write(found.checkpoint),
        "lag": _lag(found),
        "owner": None if checkpoint is None else checkpoint.owner,
        "until": None if until is None else time_text(until),
        "epoch": 0 if checkpoint is None else checkpoint.epoch,
    }


def _lag(found: ConsumerLag | PartitionLag) -> dict[str, Any]:
    return {"entries": found.entries, "at_least": found.at_least, "seconds": round(found.seconds, 3)}
