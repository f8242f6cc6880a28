"""What a pipeline asks before a release: does the code say what the lock says, and do the versions read each other?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tidings.errors import DeclarationError
from tidings.events.codec import encode_json
from tidings.versions import chains, engine, fixtures
from tidings.versions.canonical import sha256_of
from tidings.versions.changes import changes
from tidings.versions.fixtures import Fixture
from tidings.versions.lineage import Lineage, Written
from tidings.versions.lockfile import Lock, LockedType, changed
from tidings.versions.verdict import Verdict, judge

Mode = Literal["NONE", "BACKWARD", "FORWARD", "FULL"]
Scope = Literal["LATEST", "TRANSITIVE", "LIVE"]
"""LATEST: the version before. TRANSITIVE: all earlier ones. LIVE, where no database is asked: as TRANSITIVE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or may be. `code`: a kebab-case word; `is_unknown`: nobody can tell, which is no."""

    type: str
    code: str
    text: str
    version: int | None = None
    is_warning: bool = False
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Living:
    """What a database says of one type: the versions in scope LIVE, None for all, and those that are stored."""

    live: frozenset[int] | None = None
    stored: frozenset[int] = frozenset()


NO_DATABASE = Living()


def check(
    lineage: Lineage,
    lock: Lock,
    kept: Sequence[Fixture],
    *,
    mode: Mode,
    scope: Scope,
    living: Living = NO_DATABASE,
) -> list[Finding]:
    """Return what is found of one type, faults and warnings."""
    type = lineage.type
    found = list(_of_lock(lineage, lock))
    found += [Finding(type=type, code="missing-step", text=text) for text in chains.faults_of(lineage)]
    within = _within(lineage, scope, living.live)
    found += [each for old in within for each in _defaults(lineage, old, is_stored=old in living.stored)]
    found += [each for old in within for each in _of_pair(lineage, kept, mode, old)]
    found += list(_of_names(lineage, lock.types.get(type, LockedType())))
    found += [Finding(type=type, code="fixture-failed", text=text) for text in fixtures.faults_of(lineage, kept)]
    return found


def _of_lock(lineage: Lineage, lock: Lock) -> Iterator[Finding]:
    type, locked = lineage.type, lock.types.get(lineage.type, LockedType()).versions
    for version, native in sorted(lineage.natives.items()):
        schema = lineage.schema(version)
        kept = locked.get(str(version))
        why = changed(lock, native)
        if why:
            yield Finding(type=type, version=version, code="schema-changed", text=why)
        elif schema is None:
            text = f"{type} version {version} has no JSON Schema: give each of its members a type that has one"
            yield Finding(type=type, version=version, code="no-schema", text=text)
        elif kept is None or kept.sha256 != sha256_of(schema):
            text = f"the lock file does not have {type} version {version} as the code has it: `tidings versions lock`"
            yield Finding(type=type, version=version, code="not-locked", text=text)
        if schema is not None:
            yield from _of_schema(type, version, schema)


def _of_schema(type: str, version: int, schema: engine.Schema) -> Iterator[Finding]:
    try:
        engine.canon(schema)
    except DeclarationError as error:
        yield Finding(type=type, version=version, code="no-schema", text=f"{type} version {version}: {error}")


def _within(lineage: Lineage, scope: Scope, live: frozenset[int] | None) -> list[int]:
    earlier = [version for version in lineage.versions if version < lineage.newest]
    if scope == "LATEST":
        return earlier[-1:]
    return [each for each in earlier if scope != "LIVE" or live is None or each in live]


def _of_pair(lineage: Lineage, kept: Sequence[Fixture], mode: Mode, old: int) -> Iterator[Finding]:
    new = lineage.newest
    if mode in ("BACKWARD", "FULL"):
        yield from _pair(lineage, new, old, kept)
    if mode in ("FORWARD", "FULL"):
        yield from _pair(lineage, old, new, kept)


def _pair(lineage: Lineage, reader: int, writer: int, kept: Sequence[Fixture]) -> Iterator[Finding]:
    taken, written = lineage.schema(reader), lineage.schema(writer)
    steps = lineage.path(writer, reader)
    if steps is not None and any(isinstance(step, Written) for step in steps):
        if not any(each.version == writer for each in kept):
            text = f"{lineage.type}: the steps from version {writer} to {reader} need a fixture of version {writer}"
            yield Finding(type=lineage.type, version=writer, code="fixture-missing", text=text)
        return
    if taken is None or written is None or (steps is not None and lineage.reads(reader, writer) == "yes"):
        return
    try:
        verdict = judge(taken, written)
    except DeclarationError as error:
        yield Finding(type=lineage.type, version=reader, code="no-schema", text=str(error))
        return
    if verdict.answer == "yes" and not lineage.is_redefined(reader, writer):
        return
    yield Finding(
        type=lineage.type,
        version=reader,
        code="undecided" if verdict.answer == "unknown" else "incompatible",
        text=_explained(lineage, reader, writer, verdict),
        is_unknown=verdict.answer == "unknown",
    )


def _explained(lineage: Lineage, reader: int, writer: int, verdict: Verdict) -> str:
    old, new = sorted((reader, writer))
    before, after = lineage.schema(old), lineage.schema(new)
    assert before is not None
    assert after is not None
    found = [each for each in changes(before, after) if each.code not in ("optional-added", "default-added")]
    what = "; ".join(f"{each} ({each.advice})" for each in found[:5]) or "the schemas differ"
    shown = f"; it refuses {encode_json(verdict.witness).decode()[:200]}" if verdict.has_witness else ""
    step = f"@{'up' if reader > writer else 'down'}caster with from_version={writer}"
    told = "may not read" if verdict.answer == "unknown" else "does not read"
    return f"{lineage.type}: version {reader} {told} version {writer}: {what}{shown}; or write an {step}"


def _defaults(lineage: Lineage, old: int, *, is_stored: bool) -> Iterator[Finding]:
    """Yield the defaults that another one took the place of, unless the author's own steps say what old data means."""
    new = lineage.newest
    before, after = lineage.schema(old), lineage.schema(new)
    if before is None or after is None or any(isinstance(step, Written) for step in lineage.path(old, new) or ()):
        return
    for each in changes(before, after):
        if each.code == "default-changed":
            text = (
                f"{lineage.type} version {new}: {each}, so that version {old} reads differently now: write an upcaster "
                "that writes the old default in"
            )
            yield Finding(type=lineage.type, version=new, code="default-changed", text=text, is_warning=not is_stored)


def _of_names(lineage: Lineage, locked: LockedType) -> Iterator[Finding]:
    """A name that was removed comes back as something else: no two neighbours show that."""
    schema = lineage.schema(lineage.newest) or {}
    members = _members(schema)
    reserved = {*locked.reserved, *(name for each in lineage.natives.values() for name in each.reserved)}
    for name in sorted(reserved & members.keys()):
        had = [each for each in lineage.versions[:-1] if name in _members(lineage.schema(each) or {})]
        if not had or _members(lineage.schema(had[-1]) or {})[name] != members[name]:
            text = f"{lineage.type} version {lineage.newest}: /{name} was another member once: name it anew"
            yield Finding(type=lineage.type, version=lineage.newest, code="name-reserved", text=text)


def _members(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties", {})
    return found if isinstance(found, Mapping) else {}
