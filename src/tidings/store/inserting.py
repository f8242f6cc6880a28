"""How a delivery to an endpoint begins: a pure decision over the endpoint's row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tidings.store.endpoint_deliveries import EndpointDelivery
from tidings.store.endpoints import EndpointRecord


def by_endpoint(deliveries: Iterable[EndpointDelivery]) -> Sequence[str]:
    """Return the ids of the endpoints, in the order in which everybody locks them."""
    return sorted({each.endpoint for each in deliveries})


def is_wanted(delivery: EndpointDelivery, endpoint: EndpointRecord) -> bool:
    """Say whether it is no entry from before the endpoint's time, or replayed."""
    return bool(delivery.run) or delivery.position > endpoint.starts_after


def beginning(endpoint: EndpointRecord, *, now: int) -> tuple[str, int | None, int | None]:
    """Return state, next_at and held of one that is added: in an ordered endpoint it falls in behind the others."""
    if not endpoint.condition.is_sending:
        return "held", None, now
    return ("due", now, None) if endpoint.pacing.ordering == "none" else ("behind", None, None)


def row_of(delivery: EndpointDelivery, endpoint: EndpointRecord, *, now: int) -> tuple[Any, ...]:
    """Return key, endpoint, position, run, subject, type, pin, expires, state, next_at, held and intended."""
    told = (delivery.key, delivery.endpoint, delivery.position, delivery.run)
    about = (delivery.subject, delivery.type, delivery.pin, delivery.expires)
    return (*told, *about, *beginning(endpoint, now=now), now)
