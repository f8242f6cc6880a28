"""Scripts about versions of events and their gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tidings.store.scripts.script import Script, ask
from tidings.store.versions import EventVersion, Gate, no_version, schema_changed

COLUMNS = (
    "type, version, sha256, schema, published, owner, semantic_change, life, gate, epoch, by_hand, deprecated, sunset, "
    "migration, forced"
)
ALONE = "versions: alone with type $1"
"""A lock, for a statement: until the transaction ends nobody else decides about this type."""
_COUNT = len(COLUMNS.split(","))
_INSERT = (
    f"INSERT INTO tidings.event_version ({COLUMNS}) VALUES ({', '.join(f'${n}' for n in range(1, _COUNT + 1))}) "
    "RETURNING 1"
)
_WRITE = (
    "UPDATE tidings.event_version SET sha256 = $3, schema = $4, published = $5, owner = $6, semantic_change = $7, "
    "life = $8, gate = $9, epoch = $10, by_hand = $11, deprecated = $12, sunset = $13, migration = $14, forced = $15 "
    "WHERE type = $1 AND version = $2 RETURNING 1"
)
_IS_STORED = "SELECT 1 FROM tidings.census_segment WHERE type = $1 AND version = $2 LIMIT 1"


def alone(*types: str) -> Script[None]:
    for type in sorted(set(types)):
        yield from ask(ALONE, type)


def listed(type: str | None) -> Script[list[EventVersion]]:
    which, values = ("", ()) if type is None else ("WHERE type = $1 ", (type,))
    rows = yield from ask(f"SELECT {COLUMNS} FROM tidings.event_version {which}ORDER BY type, version", *values)
    return [_version_of(row) for row in rows]


def register(versions: Sequence[EventVersion], *, replaces: bool) -> Script[None]:
    yield from alone(*(each.type for each in versions))
    for type in sorted({each.type for each in versions}):
        there = {each.version: each for each in (yield from listed(type))}
        given = sorted((each for each in versions if each.type == type), key=lambda each: each.version)
        first = None if there else given[0].version
        for each in given:
            old = there.get(each.version)
            if old is None:
                gate: Gate = "open" if each.version == first else "closed"
                yield from ask(_INSERT, *_values_of(replace(each, gate=gate)))
            else:
                yield from _again(old, each, replaces=replaces)


def _again(old: EventVersion, given: EventVersion, *, replaces: bool) -> Script[None]:
    is_changed = replaces and old.sha256 != given.sha256
    if is_changed and (old.published or (yield from ask(_IS_STORED, given.type, given.version))):
        raise schema_changed(old, given)
    is_newer = replaces or (given.owner and not old.published)
    if not is_newer or ((old.sha256, old.owner) == (given.sha256, given.owner) and old.published >= given.published):
        return
    kept = replace(
        old,
        sha256=given.sha256,
        schema=given.schema,
        owner=given.owner or old.owner,
        semantic_change=given.semantic_change,
        published=old.published or given.published,
    )
    yield from ask(_WRITE, *_values_of(kept))


def write(version: EventVersion) -> Script[EventVersion]:
    yield from alone(version.type)
    there = {each.version: each for each in (yield from listed(version.type))}
    old = there.get(version.version)
    if old is None:
        raise no_version(version.type, str(version.version), ((version.type, each) for each in there))
    epoch = old.epoch
    if old.gate != version.gate:
        epoch = 1 + max(each.epoch for each in there.values())
    kept = replace(version, epoch=epoch)
    yield from ask(_WRITE, *_values_of(kept))
    return kept


def _version_of(row: Sequence[Any]) -> EventVersion:
    type, version, sha256, schema, published, owner, semantic, life, gate, epoch, by_hand, *dates = row
    return EventVersion(
        type=type,
        version=version,
        sha256=sha256,
        schema=schema,
        published=bool(published),
        owner=owner,
        semantic_change=bool(semantic),
        life=life,
        gate=gate,
        epoch=epoch,
        by_hand=bool(by_hand),
        deprecated=dates[0],
        sunset=dates[1],
        migration=dates[2],
        forced=dates[3],
    )


def _values_of(each: EventVersion) -> tuple[Any, ...]:
    return (
        each.type,
        each.version,
        each.sha256,
        each.schema,
        int(each.published),
        each.owner,
        int(each.semantic_change),
        each.life,
        each.gate,
        each.epoch,
        int(each.by_hand),
        each.deprecated,
        each.sunset,
        each.migration,
        each.forced,
    )
