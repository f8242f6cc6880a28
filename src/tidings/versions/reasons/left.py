"""Reasons that lie in what is left of a version: produced, in transit, waiting and stored, in words."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.store.versions import EventVersion, VersionLease, Waiting
from tidings.versions.answer import Reason
from tidings.versions.census import Pinned, versions_told
from tidings.versions.reasons.dates import closing
from tidings.versions.reasons.names import second_of


def still_produced(row: EventVersion) -> Reason:
    type, version = row.type, row.version
    if row.gate == "closing":
        return closing(type, version)
    return Reason(
        "still-produced",
        f"{type} {version} is open",
        {"type": type, "version": version},
        step={"do": "close", "type": type, "version": version},
        told=f"tidings versions close {type} {version}",
    )


def still_produced_to(lease: VersionLease, row: EventVersion, falls_back: Mapping[str, int]) -> Reason:
    version = row.version
    if row.gate == "closing":
        return closing(row.type, version)
    back = ", ".join(f"{service} falls back to {to}" for service, to in falls_back.items())
    accepts = versions_told(lease.versions)
    return Reason(
        "still-produced",
        f"{lease.type} {version} is open, {lease.revision or 'it'} accepts {accepts}",
        {"type": lease.type, "version": version, "consumer": lease.consumer, "accepts": sorted(lease.versions)},
        step={"do": "close", "type": lease.type, "version": version},
        told=f"tidings versions close {lease.type} {version}{f' ({back})' if back else ''}; when closed, let "
        f"{lease.service} settle its entries of {version}; ask again",
    )


def in_transit(consumer: str, type: str, version: int, entries: int, *, is_exact: bool) -> Reason:
    count = f"{entries:,}" if is_exact else f"at most {entries:,}"
    return Reason(
        "in-transit",
        f"{consumer}: {count} of {type} {version} before its checkpoint",
        {"consumer": consumer, "version": version, "entries": entries, "exact": is_exact},
        "no" if is_exact else "unknown",
        step={"do": "wait", "consumer": consumer},
        told=f"let {consumer} catch up",
    )


def set_aside(consumer: str, each: Waiting) -> Reason:
    where = (
        f"subject {each.subject}" if each.subjects == 1 and each.subject is not None else f"{each.subjects} subjects"
    )
    return Reason(
        "dead-letters",
        f"{consumer}: {each.entries:,} of {where}, oldest {second_of(each.oldest)}",
        {"consumer": consumer, "version": each.version, "entries": each.entries},
        step={"do": "redrive", "consumer": consumer},
        told="redrive the dead letters",
    )


def given_up(each: Waiting) -> Reason:
    return Reason(
        "dead-letters",
        f"{each.of}: {each.entries:,} dead deliveries, oldest {second_of(each.oldest)}",
        {"endpoint": each.of, "version": each.version, "entries": each.entries},
        step={"do": "redrive", "endpoint": each.of},
        told="redrive the dead letters",
    )


def in_outbox(type: str, version: int) -> Reason:
    return Reason(
        "outbox",
        f"the outbox holds {type} {version}",
        {"type": type, "version": version},
        step={"do": "wait-for-relay"},
        told="let the outbox be relayed",
    )


def pinned(endpoint: Pinned, type: str, version: int, pending: int) -> Reason:
    return Reason(
        "endpoint-pinned",
        f"{endpoint.endpoint}, {pending:,} deliveries pending" if pending else f"{endpoint.endpoint}, pin {version}",
        {"endpoint": endpoint.endpoint, "pin": version, "pending": pending},
        step={"do": "move-pin", "endpoint": endpoint.endpoint, "type": type},
        told=f"move {endpoint.endpoint}'s pin",
    )


def deliveries_pending(each: Waiting) -> Reason:
    return Reason(
        "deliveries-pending",
        f"{each.of}: {each.entries:,} deliveries of {each.type} {each.version}",
        {"endpoint": each.of, "version": each.version, "entries": each.entries},
        step={"do": "wait-for-deliveries", "endpoint": each.of},
        told=f"let the deliveries to {each.of} be made",
    )


def stored(type: str, version: int, entries: int) -> Reason:
    return Reason(
        "stored",
        f"{entries:,} entries of {type} {version} are in the log",
        {"type": type, "version": version, "entries": entries},
        step={"do": "keep-steps", "type": type, "version": version},
        told=f"keep the class, or write the upcasters from {version}",
    )


def census_differs() -> Reason:
    return Reason(
        "census-differs",
        "a recount found other numbers than the census",
        {},
        "unknown",
        step={"do": "repair-census"},
        told="tidings versions census --recount --repair",
    )
