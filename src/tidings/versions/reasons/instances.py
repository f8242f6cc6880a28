"""Reasons that lie in who runs: what instances and endpoints accept, serve and write, in words."""

from __future__ import annotations

from tidings.store.versions import EventVersion, VersionLease
from tidings.versions.answer import Reason
from tidings.versions.census import Pinned, versions_told
from tidings.versions.reasons.names import name_of, second_of


def does_not_accept(lease: VersionLease, type: str, version: int, newer: VersionLease | None = None) -> Reason:
    accepts, name = versions_told(lease.versions), name_of(lease)
    revision = "" if newer is None else newer.revision
    target = f" {revision}" if revision else f" a release that accepts {type} {version}"
    return Reason(
        "consumer-does-not-accept",
        f"{lease.consumer} {name} ({lease.revision or 'no revision'}) accepts {accepts}, needs {version}",
        {
            "consumer": lease.consumer,
            "instance": name,
            "revision": lease.revision,
            "accepts": sorted(lease.versions),
            "needs": version,
        },
        step={"do": "finish-deploy", "service": lease.service, **({"revision": revision} if revision else {})},
        told=f"finish the deploy of {lease.service}{target}" if revision else f"deploy{target} of {lease.service}",
    )


def held(lease: VersionLease) -> Reason:
    return Reason(
        "instance-held",
        f"{lease.consumer} {name_of(lease)} ({lease.revision or 'no revision'}) is not admitted yet",
        {"consumer": lease.consumer, "instance": name_of(lease), "revision": lease.revision},
        "unknown",
        step={"do": "wait-for-admission", "service": lease.service},
        told=f"see why {lease.service} is held: its log says what it lacks",
    )


def unseen(consumer: str, type: str) -> Reason:
    return Reason(
        "consumer-unseen",
        f"{consumer} reads {type}, and no instance of it runs",
        {"consumer": consumer},
        "unknown",
        step={"do": "start", "consumer": consumer},
        told=f"start {consumer}, or `tidings versions forget {consumer}` if it is gone for good, or ask with "
        f"`--assume-last {consumer}`",
    )


def assumed(lease: VersionLease) -> Reason:
    said = f"{lease.revision or 'its last release'} accepted {versions_told(lease.versions)}"
    return Reason(
        "consumer-unseen",
        f"{lease.consumer} is taken as it ran last, {second_of(lease.renewed_at)}: {said}",
        {"consumer": lease.consumer, "revision": lease.revision, "accepts": sorted(lease.versions)},
        "ok",
    )


def release_unseen(service: str, revision: str) -> Reason:
    return Reason(
        "consumer-unseen",
        f"nobody knows what {service} {revision} accepts: it never ran here",
        {"consumer": service, "revision": revision},
        "unknown",
        step={"do": "name-a-release", "service": service},
        told=f"name a release of {service} that ran here",
    )


def nobody_reads(type: str) -> Reason:
    return Reason("no-consumers", f"nobody reads {type}", {"type": type}, "ok")


def not_served(endpoint: Pinned, lease: VersionLease, type: str, version: int) -> Reason:
    pin = endpoint.pins[type]
    return Reason(
        "missing-step",
        f"{name_of(lease)} has no steps from {type} {version} to {pin}, which {endpoint.endpoint} is pinned to",
        {"endpoint": endpoint.endpoint, "instance": name_of(lease), "pin": pin, "needs": version},
        step={"do": "write-downcaster", "type": type, "from": version, "to": pin},
        told=f"write the downcasters from {version} to {pin}, and deploy them",
    )


def pattern_unbound(endpoint: Pinned, type: str, version: int) -> Reason:
    return Reason(
        "pattern-version",
        f"{endpoint.endpoint}'s pattern reads the data of {type}, and is bound to no version of it",
        {"endpoint": endpoint.endpoint, "type": type, "needs": version},
        step={"do": "set-pin", "endpoint": endpoint.endpoint, "type": type},
        told=f"pin {endpoint.endpoint} to the version of {type} that its pattern was written for",
    )


def nobody_serves(endpoint: Pinned, pin: int) -> Reason:
    return Reason(
        "consumer-unseen",
        f"{endpoint.endpoint} is pinned to {pin}, and nothing runs that would bring events there",
        {"endpoint": endpoint.endpoint, "pin": pin},
        "unknown",
        step={"do": "start", "endpoint": endpoint.endpoint},
        told="start a process that sends to endpoints",
    )


def writes_nothing(lease: VersionLease, row: EventVersion) -> Reason:
    name, is_over = f"{row.type} {row.version}", row.life in ("sunset", "retired")
    state = row.life if is_over else "closed, with no steps from it to an open one"
    told = f"name a release of {lease.service} that writes a version which goes on"
    return Reason(
        "not-active" if is_over else "missing-step",
        f"{lease.service} {lease.revision} writes {name}, which is {state}",
        {"type": row.type, "version": row.version, "service": lease.service, "state": row.life},
        step={"do": "name-a-release", "service": lease.service},
        told=told if is_over else f"tidings versions open {name}, or {told}",
    )


def cannot_fall_back(lease: VersionLease, type: str, version: int) -> Reason:
    return Reason(
        "missing-step",
        f"{lease.service or 'the door'} {name_of(lease)} has no steps from {type} {version} down to one that is open",
        {"service": lease.service, "instance": name_of(lease), "version": version},
        step={"do": "write-downcaster", "type": type, "from": version},
        told=f"write the downcaster from {version}, and deploy it; or open another version first",
    )
