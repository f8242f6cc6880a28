"""The reasons that an answer may have, in words: what is in the way, and the next legal step."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from tidings.events.timestamp import time_text
from tidings.store.versions import EventVersion, VersionLease, Waiting
from tidings.versions.answer import Code, Reason, Word
from tidings.versions.census import Pinned, versions_told

_TO_DO: Mapping[Code, tuple[str, str]] = {
    "fixture-failed": ("correct-fixture", "correct the step, or its example in tests/versions"),
    "name-reserved": ("rename", "name the member anew"),
}


def name_of(lease: VersionLease) -> str:
    """Return a short name of an instance."""
    return f"{lease.service or lease.consumer or 'outside'}-{hashlib.sha256(lease.instance.encode()).hexdigest()[:3]}"


def second_of(time: int) -> str:
    """Return a time to the second, with a Z."""
    return f"{time_text(time)[:19]}Z"


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


def no_class(producer: str, type: str, version: int) -> Reason:
    text = f"{producer} has no class for {type} {version}, or does not run"
    to_do = f"deploy a release of {producer} that has the class"
    if not producer:
        text = f"nothing that runs takes {type} {version} from outside: by a class, or by its schema and steps from it"
        to_do = "deploy a release that has the class, or whose lock file has the version and that has the steps from it"
    return Reason(
        "missing-step",
        text,
        {"producer": producer, "version": version},
        step={"do": "deploy", "service": producer},
        told=to_do,
    )


def no_class_here(type: str, version: int) -> Reason:
    return Reason(
        "missing-step",
        f"the code at hand has no class for {type} {version}",
        {"type": type, "version": version},
        step={"do": "declare", "type": type, "version": version},
        told=f"declare the class of {type} {version}, or name the application that has it",
    )


def not_the_next(type: str, version: int, highest: int) -> Reason:
    return Reason(
        "number-burnt" if version <= highest else "missing-step",
        f"{type} {highest} is there already, so the next version is {highest + 1}, not {version}",
        {"type": type, "version": version, "next": highest + 1},
        step={"do": "number-anew", "type": type, "version": highest + 1},
        told=f"declare it as version {highest + 1}",
    )


def other_schema(type: str, version: int) -> Reason:
    return Reason(
        "incompatible",
        f"{type} {version} is registered with another schema, and published or stored",
        {"type": type, "version": version},
        step={"do": "number-anew", "type": type, "version": version + 1},
        told="leave it as it was, and declare the change as the next version",
    )


def unfit(code: Code, type: str, version: int, text: str, answer: Word = "no") -> Reason:
    about = {"type": type, "version": version}
    do, told = _TO_DO.get(code, ("write-step", "write the step that bridges it, and an example of it"))
    return Reason(code, text, about, answer, step={"do": do, **about}, told=told)


def not_active(type: str, version: int, row: EventVersion | None) -> Reason:
    about = {"type": type, "version": version}
    if row is not None and row.life == "retired":
        told = "declare the change as the next version"
        return Reason("number-burnt", f"{type} {version} is retired", about, step={"do": "number-anew"}, told=told)
    state = "not registered" if row is None else row.life
    do, told = ("register", "run a release that declares it") if row is None else ("choose", "open a newer version")
    return Reason("not-active", f"{type} {version} is {state}", {**about, "state": state}, step={"do": do}, told=told)


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


def sunset_not_reached(type: str, version: int, sunset: int) -> Reason:
    return Reason(
        "sunset-not-reached",
        second_of(sunset),
        {"type": type, "version": version, "sunset": second_of(sunset)},
        step={"do": "wait-until", "time": second_of(sunset)},
        told=f"ask again after {time_text(sunset)[:10]}",
    )


def no_date(row: EventVersion) -> Reason:
    name = f"{row.type} {row.version}"
    return Reason(
        "sunset-not-reached",
        f"{name} is {row.life}, and nobody has said when it ends",
        {"type": row.type, "version": row.version, "sunset": None},
        step={"do": "deprecate", "type": row.type, "version": row.version},
        told=f"tidings versions deprecate {name} --sunset DATE",
    )


def ends_soon(row: EventVersion) -> Reason:
    return Reason(
        "still-produced",
        f"{row.type} {row.version} is {row.life}, though its date is over",
        {"type": row.type, "version": row.version},
        step={"do": "wait"},
        told="let a process that runs see that the date is over: it looks every ten seconds",
    )


def still_written(row: EventVersion, service: str) -> Reason:
    return Reason(
        "still-produced",
        f"{service} writes {row.type} {row.version}",
        {"type": row.type, "version": row.version, "service": service},
        step={"do": "deploy", "service": service},
        told=f"deploy a release of {service} that writes a newer version",
    )


def closing(type: str, version: int) -> Reason:
    return Reason(
        "still-produced",
        f"{type} {version} is closing: not every process that emits it has said that it knows",
        {"type": type, "version": version},
        step={"do": "wait"},
        told="let every process that emits it renew its lease",
    )


def was_forced(row: EventVersion) -> Reason:
    since = second_of(row.forced or 0)
    return Reason(
        "forced",
        f"{row.type} {row.version}, {since}",
        {"type": row.type, "version": row.version, "since": since},
        "ok",
    )


def cannot_fall_back(lease: VersionLease, type: str, version: int) -> Reason:
    return Reason(
        "missing-step",
        f"{lease.service or 'the door'} {name_of(lease)} has no steps from {type} {version} down to one that is open",
        {"service": lease.service, "instance": name_of(lease), "version": version},
        step={"do": "write-downcaster", "type": type, "from": version},
        told=f"write the downcaster from {version}, and deploy it; or open another version first",
    )


def no_successor(type: str, version: int) -> Reason:
    return Reason(
        "not-active",
        f"there is no newer active version than {type} {version}",
        {"type": type, "version": version},
        step={"do": "register", "type": type, "version": version + 1},
        told="declare the version that takes its place",
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
