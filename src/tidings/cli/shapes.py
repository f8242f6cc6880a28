"""Results of operations as people read them, and what HTTP has no counterpart of, for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidings.cli.output import Branch
from tidings.events.cloudevents import shown, write_structured
from tidings.events.envelope import Entry
from tidings.events.timestamp import time_text
from tidings.faces.tokens import Tokens
from tidings.operations.chain import Chain, Link
from tidings.operations.dead import UNTRANSLATED, written
from tidings.operations.inspect import Standing
from tidings.operations.lag import ConsumerLag
from tidings.operations.letters import DeliveryLetter, ReceiptLetter
from tidings.operations.verify import Verified
from tidings.operations.views import Listed
from tidings.store.parking import Parked
from tidings.views.verify import Difference

DATA_SHOWN = 100
DIGITS_SHOWN = 12


def entry_line(entry: Entry) -> str:
    """Return an entry on one line, its data cut if it is long."""
    envelope = entry.envelope
    data = (envelope.data or b"").decode("utf-8", "replace")
    data = " ".join(data.split()) if len(data) <= DATA_SHOWN else f"{data[:DATA_SHOWN]}…"
    version = f" v{envelope.version}" if envelope.version != 1 else ""
    identity = f"{envelope.source} {envelope.id}"
    return f"{entry.position:>8}  {time_text(entry.recorded)[:23]}Z  {envelope.type}{version}  {identity}  {data}"


def entry_fields(entry: Entry) -> dict[str, Any]:
    """Return an entry as lines for people: where it stands, and each attribute of its event."""
    return {"position": entry.position, **json.loads(write_structured(shown(entry)))}


def standing_row(standing: Standing) -> dict[str, Any]:
    """Return how a consumer stands to an event, as a row for people."""
    reason, parked, dropped = None, standing.parked, standing.dropped
    if parked is not None:
        reason = f"{parked.state}, {parked.reason}: {parked.error}"
    elif dropped is not None:
        reason = f"not handled: given up {time_text(dropped.at)} by {dropped.who or 'nobody named'}: {dropped.reason}"
    return {"consumer": standing.consumer, "state": standing.state, "reason": reason}


def delivered_row(delivery: Mapping[str, Any]) -> dict[str, Any]:
    """Return what became of an event for an endpoint, as a row for people."""
    return {name: delivery[name] for name in ("endpoint", "key", "state", "attempts", "reason")}


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


def in_a_line(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with the first line of its error, as a table has room for; whoever shows one thing shows all."""
    error = row["error"]
    first, *more = (error or "").strip().splitlines() or [""]
    return {**row, "error": f"{first} …" if more else error and first}


def letter_row(letter: DeliveryLetter | ReceiptLetter) -> dict[str, Any]:
    """Return a dead letter of no handler as a row."""
    if isinstance(letter, DeliveryLetter):
        found = letter.delivery
        return {
            "dead_letter": letter.name,
            "subject": found.subject,
            "attempts": found.attempts,
            "reason": found.reason,
            "error": found.error,
            "behind_it": found.followers,
            "since": moment(found.closed),
        }
    return {
        "dead_letter": letter.name,
        "subject": None,
        "attempts": 1 + letter.receipt.replays,
        "reason": UNTRANSLATED,
        "error": letter.receipt.error,
        "behind_it": 0,
        "since": moment(letter.receipt.received),
    }


def lag_row(lag: ConsumerLag) -> dict[str, Any]:
    """Return a consumer's lag as a row for people."""
    has_lag = bool(lag.partitions)
    unknown = " (not declared here)" if lag.declared is False else ""
    removed = f"expired: entries up to {lag.expired} were removed unread, see `tidings consumers begin --help`"
    states = {
        "paused": f"paused: {lag.paused}" + ("" if lag.expired is None else f"; resumed, it is {removed}"),
        "expired": removed,
    }
    return {
        "consumer": lag.name + unknown,
        "state": states.get(lag.state, lag.state),
        "checkpoint": lag.checkpoint,
        "head": lag.head,
        "lag": (f"over {lag.entries:,}" if lag.at_least else f"{lag.entries:,}") if has_lag else None,
        "seconds": f"{lag.seconds:,.1f}" if has_lag else None,
        "retrying": lag.retrying,
        "dead": lag.dead,
        "dead_letters": lag.dead_letters,
    }


def verified_object(tokens: Tokens, verified: Verified) -> dict[str, Any]:
    """Return what a verification found, with the first differences."""
    result, (service, _, view) = verified.result, verified.view.partition(".")
    differences = [
        {
            "kind": each.kind,
            "key": _plain(each.key),
            "found": _plain(each.found),
            "expected": _plain(each.expected),
            "position": tokens.write_any(each.position),
            "error": each.error,
        }
        for each in result.first
    ]
    return {
        "service": service,
        "view": view,
        "table": verified.table,
        "equal": result.is_right,
        "upto": tokens.write(result.upto),
        "rows": result.rows,
        "fingerprint": str(result.fingerprint),
        "tombstones": result.tombstones,
        "entries": result.entries,
        "dropped": result.dropped,
        "parked": result.parked,
        "unreadable": result.unreadable,
        "differing": result.differing,
        "differences": differences,
    }


def verified_row(verified: Verified) -> dict[str, Any]:
    """Return what a verification counted, as a row for people."""
    counts = ("upto", "rows", "tombstones", "entries", "dropped", "parked", "unreadable", "differing")
    counted = {name: getattr(verified.result, name) for name in counts}
    short = f"{verified.result.fingerprint.sum:032x}"[:DIGITS_SHOWN]
    return {"view": verified.view, **counted, "equal": verified.result.is_right, "fingerprint": short}


def difference_line(difference: Difference) -> str:
    """Return on one line which row differs, where, and in what."""
    at = "" if difference.position is None else f" (entry {difference.position})"
    found, expected = _plain(difference.found), _plain(difference.expected)
    why = difference.error or f"found {found}, the log says {expected}"
    return f"{_plain(difference.key)} {difference.kind}{at}: {why}"


def view_row(found: Listed) -> dict[str, Any]:
    """Return a view, or one of its tables, as a row for people."""
    names = ("mode", "state", "version", "table", "position", "declared")
    return {"view": found.name, **{name: getattr(found, name) for name in names}}


def _plain(values: Sequence[Any] | None) -> Any:
    return None if values is None else msgspec.to_builtins(list(values))
