"""May a version be registered? Asked of the code, its lock file and its examples, beside what runs and is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from tidings.errors import DeclarationError
from tidings.operations.versions import Workshop
from tidings.versions.answer import Code, Reason
from tidings.versions.canonical import sha256_of
from tidings.versions.census import Census
from tidings.versions.checking import Finding, Living, Mode
from tidings.versions.lineage import Lineage
from tidings.versions.reasons import classes
from tidings.versions.said import said_of

_CODES: Mapping[str, Code] = {
    "no-schema": "incompatible",
    "incompatible": "incompatible",
    "default-changed": "incompatible",
    "undecided": "undecided",
    "missing-step": "missing-step",
    "fixture-missing": "fixture-failed",
    "fixture-failed": "fixture-failed",
    "name-reserved": "name-reserved",
}


def may_register(
    census: Census, workshop: Workshop, type: str, version: int, *, mode: Mode = "BACKWARD"
) -> list[Reason]:
    """Say whether the code's version of a type may be registered: it is the next one, and bridged to all that live.

    The scope is LIVE: versions that are produced, pinned, under way or stored now, or that a running reader has a class
    for. One that is registered with the same schema already is ok.
    """
    row = census.of_type(type).get(version)
    if row is not None and row.life == "retired":
        return [classes.not_active(type, version, row)]
    lineage = _upto(workshop, type, version)
    if lineage is None:
        return [classes.no_class_here(type, version)]
    try:
        schema = lineage.schema(version)
        own = "" if schema is None else sha256_of(schema)
    except DeclarationError as error:
        return [classes.unfit("incompatible", type, version, str(error))]
    if row is not None and row.sha256 == own:
        return []
    if row is not None:
        is_kept = row.published or census.stored.get((type, version), 0) > 0
        return [classes.other_schema(type, version)] if is_kept else list(_checked(census, workshop, lineage, mode))
    highest = max(census.of_type(type), default=0)
    if version != highest + 1:
        return [classes.not_the_next(type, version, highest)]
    return list(_checked(census, workshop, lineage, mode))


def living(census: Census, type: str) -> frozenset[int]:
    """Return the versions of a type that count now: produced, pinned, under way or stored, or read with a class."""
    pinned = {each.pins[type] for each in census.endpoints if type in each.pins}
    waiting = {each.version for each in census.waiting if each.type == type and each.version}
    read = {version for each in census.live("accept", type) for version in said_of(each.details).natives}
    return census.produced(type) | _stored(census, type) | pinned | waiting | read


def lives(census: Census, type: str) -> Living:
    """Return what a database says of a type."""
    return Living(living(census, type), _stored(census, type))


def _stored(census: Census, type: str) -> frozenset[int]:
    return frozenset(version for (of, version), count in census.stored.items() if of == type and count)


def _upto(workshop: Workshop, type: str, version: int) -> Lineage | None:
    """Return the code's versions as far as this one; None if the code has no class for it."""
    whole = workshop.lineages.get(type)
    if whole is None or version not in whole.natives:
        return None
    natives = [each for number, each in whole.natives.items() if number <= version]
    return Lineage(type, natives, {number: each for number, each in whole.told.items() if number <= version})


def _checked(census: Census, workshop: Workshop, lineage: Lineage, mode: Mode) -> Iterator[Reason]:
    type, version = lineage.type, lineage.newest
    known = {number: json.loads(each.schema) for number, each in census.of_type(type).items() if number < version}
    lineage.learn(known)
    for each in workshop.checked(lineage, mode=mode, living=lives(census, type)):
        if each.code in _CODES and not each.is_warning:
            yield _reason(each, type, version)


def _reason(each: Finding, type: str, version: int) -> Reason:
    return classes.unfit(_CODES[each.code], type, version, each.text, "unknown" if each.is_unknown else "no")
