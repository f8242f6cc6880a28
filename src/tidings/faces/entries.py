"""Entries of the log: events as CloudEvents, with the token of where each stands."""

from __future__ import annotations

from typing import Any

import msgspec

from tidings.events.cloudevents import shown, write_structured
from tidings.events.envelope import Entry
from tidings.events.timestamp import time_text
from tidings.faces.tokens import Tokens
from tidings.log.driver import Position
from tidings.operations.chain import Chain, Link
from tidings.operations.dead import name_of
from tidings.operations.inspect import Shown, Standing
from tidings.store.letters import GivenUp

_DELIVERED = ("key", "endpoint", "state", "attempts", "reason")


def entry_object(tokens: Tokens, entry: Entry) -> dict[str, Any]:
    """Return an entry; its event is JSON already."""
    return {"position": tokens.write(entry.position), "event": msgspec.Raw(write_structured(shown(entry)))}


def result_object(tokens: Tokens, identity: tuple[str, str], position: Position, outcome: str) -> dict[str, Any]:
    """Return what became of an event with this source and id that was to be appended."""
    source, id = identity
    return {"source": source, "id": id, "position": tokens.write(position), "outcome": outcome}


def status_object(tokens: Tokens, found: Shown) -> dict[str, Any]:
    """Return where an event is kept, how each consumer stands to it, and what became of it for each endpoint."""
    envelope = found.entry.envelope
    return {
        "source": envelope.source,
        "id": envelope.id,
        "position": tokens.write(found.entry.position),
        "recorded": time_text(found.entry.recorded),
        "consumers": [_standing(each, found.entry.position) for each in found.standings],
        "deliveries": [{name: each[name] for name in _DELIVERED} for each in found.deliveries],
    }


def _standing(standing: Standing, position: Position) -> dict[str, Any]:
    return {
        "consumer": standing.consumer,
        "state": standing.state,
        "dead_letter": name_of(standing.consumer, position) if standing.parked else None,
        "dropped": None if standing.dropped is None else _given_up(standing.dropped),
    }


def _given_up(dropped: GivenUp) -> dict[str, Any]:
    return {"at": time_text(dropped.at), "who": dropped.who, "reason": dropped.reason}


def chain_object(tokens: Tokens, chain: Chain) -> dict[str, Any]:
    """Return the causes and effects of an event, each with its own effects in it."""
    roots = [_link(tokens, each) for each in chain.roots]
    return {"correlation": chain.correlation, "is_whole": chain.is_whole, "events": roots}


def _link(tokens: Tokens, link: Link) -> dict[str, Any]:
    envelope = link.entry.envelope
    identity = {"type": envelope.type, "source": envelope.source, "id": envelope.id}
    effects = [_link(tokens, each) for each in link.effects]
    return {"position": tokens.write(link.entry.position), **identity, "effects": effects}
