"""What the store keeps of an endpoint, and the values of this room: one into the other, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from tidings.store.endpoints import Condition, EndpointRecord, Pacing
from tidings.webhooks.deliver import health
from tidings.webhooks.deliver.configured import members_of
from tidings.webhooks.deliver.endpoint import Batch, Endpoint, Legacy
from tidings.webhooks.deliver.health import Health
from tidings.webhooks.deliver.secrets import Held

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Health).decode
_held = msgspec.json.Decoder(tuple[Held, ...]).decode


def config_of(endpoint: Endpoint) -> bytes:
    """Return what an operator said of the endpoint, as the JSON object that a record keeps.

    Releases that know no `legacy` read whatever has none.
    """
    members = members_of(endpoint)
    if members["legacy"] is None:
        del members["legacy"]
    return _encode(members)


def pacing_of(endpoint: Endpoint) -> Pacing:
    """Return what a claim needs to know of the endpoint's configuration."""
    batch = endpoint.batch
    return Pacing(
        ordering=endpoint.ordering,
        slots=0 if endpoint.via == "poll" else endpoint.slots,  # nothing is claimed for it
        reserved=endpoint.reserved,
        rate=endpoint.rate,
        batch=1 if batch is None else batch.size,
        linger=0 if batch is None else batch.linger_ms * 1_000,
    )


def condition_of(state: Health) -> Condition:
    """Return the health as a record keeps it: what claims look at in columns of its own, the rest as JSON.

    That is written once for all attempts that are settled together, and asked for by each of them.
    """
    return Condition(
        state=state.state,
        since=state.since,
        why=state.why,
        health=state,
        not_before=state.not_before,
        slowed_until=state.slowed_until,
    )


def health_of(condition: Condition, *, now: int) -> Health:
    """Return the health that a record keeps; where it was paused or resumed since, all is counted anew."""
    kept = condition.health
    known = kept if isinstance(kept, Health) else _decode(bytes(kept)) if kept else health.new(now)
    if condition.state != known.state and condition.state == "active":
        known = health.new(now)
    written = (known.state, known.why, known.not_before, known.slowed_until)
    if written == (condition.state, condition.why, condition.not_before, condition.slowed_until):
        return known
    return replace(
        known,
        state=condition.state,
        since=known.since if condition.state == known.state else condition.since,
        why=condition.why,
        not_before=condition.not_before,
        slowed_until=condition.slowed_until,
    )


def endpoint_of_record(record: EndpointRecord, *, now: int) -> Endpoint:
    """Return the endpoint that a record keeps. Its configuration was checked before it was kept."""
    members: Mapping[str, Any] = msgspec.json.decode(record.config)
    batch, legacy = members.get("batch"), members.get("legacy")
    given = {
        **members,
        "url": members.get("url") or "",
        "batch": None if batch is None else Batch(**batch),
        "legacy": None if legacy is None else Legacy(**legacy),
    }
    return Endpoint(id=record.id, health=health_of(record.condition, now=now), **given)


def secrets_to_bytes(held: Sequence[Held]) -> bytes:
    """Return an endpoint's secrets as a record keeps them, sealed as they are."""
    return _encode(tuple(held))


def secrets_of(data: bytes) -> tuple[Held, ...]:
    """Return the secrets of a record; none where it keeps none."""
    return _held(data) if data else ()
