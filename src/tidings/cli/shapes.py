"""Results of operations as rows and objects that can be printed: times as RFC 3339, events as CloudEvents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from tidings.cli.output import Branch
from tidings.events.cloudevents import shown, write_structured
from tidings.events.envelope import Entry
from tidings.events.timestamp import time_text
from tidings.operations.chain import Chain, Link
from tidings.operations.dead import written
from tidings.operations.lag import ConsumerLag
from tidings.operations.verify import Verified
from tidings.store.parking import Parked

DATA_SHOWN = 100


def entry_object(entry: Entry) -> dict[str, Any]:
    """Return an entry as `GET /events` shows it, but with its position as a number."""
    return {"position": entry.position, "event": json.loads(write_structured(shown(entry)))}


def entry_line(entry: Entry) -> str:
    """Return an entry on one line, its data cut if it is long."""
    envelope = entry.envelope
    data = (envelope.data or b"").decode("utf-8", "replace")
    data = " ".join(data.split()) if len(data) <= DATA_SHOWN else f"{data[:DATA_SHOWN]}…"
    version = f" v{envelope.version}" if envelope.version != 1 else ""
    identity = f"{envelope.source} {envelope.id}"
    return f"{entry.position:>8}  {time_text(entry.recorded)[:23]}Z  {envelope.type}{version}  {identity}  {data}"


def chain_object(chain: Chain) -> dict[str, Any]:
    """Return the causes and effects of an event, each with its own effects in it."""
    roots = [_link_object(each) for each in chain.roots]
    return {"correlation": chain.correlation, "is_whole": chain.is_whole, "events": roots}


def _link_object(link: Link) -> dict[str, Any]:
    envelope = link.entry.envelope
    identity = {"type": envelope.type, "source": envelope.source, "id": envelope.id}
    return {"position": link.entry.position, **identity, "effects": [_link_object(each) for each in link.effects]}


def chain_branches(chain: Chain, here: int) -> tuple[Branch, ...]:
    """Return the same as lines of a tree; the event at position `here` is pointed at."""
    return tuple(_branch(each, here) for each in chain.roots)


def _branch(link: Link, here: int) -> Branch:
    envelope, position = link.entry.envelope, link.entry.position
    pointer = "  <- this one" if position == here else ""
    label = f"{position}  {envelope.type}  {envelope.source} {envelope.id}{pointer}"
    return Branch(label, tuple(_branch(each, here) for each in link.effects))


def moment(microseconds: int | None) -> str | None:
    """Return a time as text."""
    return None if microseconds is None else time_text(microseconds)


def parked_row(parked: Parked) -> dict[str, Any]:
    """Return a parked subject as a row."""
    return {
        "consumer": parked.consumer,
        "subject": written(parked.subject),
        "state": parked.state,
        "entries": parked.entries,
        "attempts": parked.attempts,
        "next_at": moment(parked.next_at),
        "reason": parked.reason,
        "error": parked.error,
        "first_position": parked.first_position,
        "parked_at": moment(parked.parked_at),
    }


def lag_object(lag: ConsumerLag) -> dict[str, Any]:
    """Return a consumer's lag with that of each of its partitions."""
    partitions = [
        {
            "part": each.part,
            "checkpoint": each.checkpoint,
            "lag_entries": each.entries,
            "lag_at_least": each.at_least,
            "lag_seconds": round(each.seconds, 3),
        }
        for each in lag.partitions
    ]
    return {
        "consumer": lag.name,
        "state": lag.state,
        "declared": lag.declared,
        "types": None if lag.types is None else sorted(lag.types),
        "head": lag.head,
        "checkpoint": lag.checkpoint,
        "lag_entries": lag.entries,
        "lag_at_least": lag.at_least,
        "lag_seconds": round(lag.seconds, 3),
        "parked": lag.parked,
        "retrying": lag.retrying,
        "dead": lag.dead,
        "dead_letters": lag.dead_letters,
        "paused": lag.paused,
        "partitions": partitions,
    }


def lag_row(lag: ConsumerLag) -> dict[str, Any]:
    """Return a consumer's lag as a row for people."""
    has_lag = bool(lag.partitions)
    unknown = " (not declared here)" if lag.declared is False else ""
    return {
        "consumer": lag.name + unknown,
        "state": f"paused: {lag.paused}" if lag.state == "paused" else lag.state,
        "checkpoint": lag.checkpoint,
        "head": lag.head,
        "lag": (f"over {lag.entries:,}" if lag.at_least else f"{lag.entries:,}") if has_lag else None,
        "seconds": f"{lag.seconds:,.1f}" if has_lag else None,
        "retrying": lag.retrying,
        "dead": lag.dead,
        "dead_letters": lag.dead_letters,
    }


def verified_object(verified: Verified) -> dict[str, Any]:
    """Return what a verification found, with the first differences."""
    result = verified.result
    differences = [
        {
            "kind": each.kind,
            "key": _plain(each.key),
            "found": _plain(each.found),
            "expected": _plain(each.expected),
            "position": each.position,
            "error": each.error,
        }
        for each in result.first
    ]
    return {
        "view": verified.view,
        "table": verified.table,
        "equal": result.is_right,
        "upto": result.upto,
        "rows": result.rows,
        "tombstones": result.tombstones,
        "entries": result.entries,
        "dropped": result.dropped,
        "parked": result.parked,
        "unreadable": result.unreadable,
        "differing": result.differing,
        "differences": differences,
    }


def _plain(values: Sequence[Any] | None) -> Any:
    return None if values is None else msgspec.to_builtins(list(values))
