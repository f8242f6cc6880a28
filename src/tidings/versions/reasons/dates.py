"""Reasons that lie in the dates of a version, in words."""

from __future__ import annotations

from tidings.events.timestamp import time_text
from tidings.store.versions import EventVersion
from tidings.versions.answer import Reason
from tidings.versions.reasons.names import second_of


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
