"""Examples of each version, `tests/versions/<type>/<v>/*.json`: `{"data": …, "as": {"3": …}}`, kept by people."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tidings.errors import DeclarationError, InvalidDataError, TransformError
from tidings.events.codec import Decoder, encode_json
from tidings.events.envelope import Envelope
from tidings.versions import engine
from tidings.versions.canonical import sha256_of
from tidings.versions.lineage import Lineage, Step, Written
from tidings.versions.schemas import names_in
from tidings.versions.witness import witnesses

FOLDER = Path("tests/versions")


@dataclass(frozen=True, slots=True)
class Fixture:
    """One file: data of a version, and what it is in others."""

    name: str
    version: int
    data: dict[str, Any]
    seen_as: Mapping[int, dict[str, Any]]


def read_fixtures(folder: Path, type: str) -> tuple[Fixture, ...]:
    """Return a type's fixtures, in order; DeclarationError for a file that is none."""
    return tuple(_read(path) for path in sorted((folder / type).glob("*/*.json")))


def hash_of(fixtures: Sequence[Fixture], version: int) -> str:
    """Return the hash of a version's fixtures, "" if there are none."""
    found = [[each.data, {str(to): data for to, data in each.seen_as.items()}] for each in fixtures]
    kept = [pair for pair, each in zip(found, fixtures, strict=True) if each.version == version]
    return sha256_of(kept) if kept else ""


def first_fixture(lineage: Lineage, version: int) -> bytes | None:
    """Return a first file: data that is valid for a version, and what it is in higher ones; None if none is found."""
    schema = lineage.schema(version)
    if schema is None:
        return None
    data = next((each for each in witnesses(schema, schema) if isinstance(each, dict) and _holds(schema, each)), None)
    if data is None:
        return None
    seen = {}
    for to in (each for each in lineage.versions if each > version):
        steps = lineage.path(version, to)
        if steps is not None:
            seen[str(to)] = run(copy.deepcopy(data), steps, lineage.type)
    return msgspec.json.format(encode_json({"data": data, "as": seen}), indent=2) + b"\n"


def run(data: dict[str, Any], steps: Sequence[Step], type: str) -> dict[str, Any]:
    """Return data after steps. TransformError."""
    envelope = Envelope(id="fixture", source="/tests/versions", type=type, time="2026-01-02T03:04:05Z")
    for step in steps:
        data = step(data, envelope)
    return data


def faults_of(lineage: Lineage, fixtures: Sequence[Fixture]) -> Iterator[str]:
    """Yield what the fixtures disprove, one sentence each."""
    for each in fixtures:
        schema = lineage.schema(each.version)
        if schema is not None and not _holds(schema, each.data):
            yield f"{each.name}: its data is not valid for {lineage.type} version {each.version}: correct one of them"
            continue
        try:
            yield from _disproved(lineage, each)
        except TransformError as error:
            yield f"{each.name}: {error}"


def _disproved(lineage: Lineage, each: Fixture) -> Iterator[str]:
    newer = [version for version in lineage.versions if version > each.version]
    for to in sorted({*each.seen_as, *newer}):
        steps = lineage.path(each.version, to)
        if steps is None:
            if to in each.seen_as:
                yield f"{each.name}: no steps lead from version {each.version} to {to}: write them"
            continue
        given = copy.deepcopy(each.data)
        made = run(given, steps, lineage.type)
        if given != each.data:
            yield f"{each.name}: a step to version {to} changes the data that it is given: have it return a new dict"
        if run(copy.deepcopy(each.data), steps, lineage.type) != made:
            yield f"{each.name}: the steps to version {to} return other data each time: leave clocks and chance out"
        elif to in each.seen_as and made != each.seen_as[to]:
            yield f'{each.name}: in version {to} it is {_told(made)}, and "as" says {_told(each.seen_as[to])}'
        yield from _misfits(lineage, each.name, to, made)
    yield from _round_trip(lineage, each)


def _misfits(lineage: Lineage, name: str, version: int, made: dict[str, Any]) -> Iterator[str]:
    schema, native = lineage.schema(version), lineage.natives.get(version)
    names = None if schema is None else names_in(schema)
    strange = set() if names is None else made.keys() - names
    if strange:
        told = ", ".join(sorted(strange))
        yield f"{name}: what the steps make of it has members that version {version} does not declare: {told}"
    if schema is not None and not _holds(schema, made):
        yield f"{name}: what the steps make of it is not valid for version {version}: {_told(made)}"
    elif native is not None:
        try:
            Decoder(native.cls).decode(encode_json(made))
        except InvalidDataError as error:
            yield f"{name}: {error}"


def _round_trip(lineage: Lineage, each: Fixture) -> Iterator[str]:
    """Down by one and up again: the same but for what is declared as lost, and a second time the same altogether.

    A step down that follows from the schemas loses just what it drops: there the older version has to come back."""
    down, up = (lineage.path(*edge) for edge in ((each.version, each.version - 1), (each.version - 1, each.version)))
    if down is None or up is None or not any(isinstance(step, Written) for step in (*down, *up)):
        return
    if not isinstance(down[0], Written):
        yield from _up_again(lineage, each, (*up, *down))
        return
    again = run(copy.deepcopy(each.data), (*down, *up), lineage.type)
    lost = [name for step in down if isinstance(step, Written) for name in step.transformer.loses]
    if _without(again, lost) != _without(each.data, lost):
        back = f"version {each.version} to {each.version - 1} and back"
        yield f"{each.name}: {back} is {_told(again)}: name in loses what is lost"
    elif run(copy.deepcopy(again), (*down, *up), lineage.type) != again:
        yield f"{each.name}: a second way down and up again changes the data once more"


def _up_again(lineage: Lineage, each: Fixture, back: Sequence[Step]) -> Iterator[str]:
    older = run(copy.deepcopy(each.data), back[1:], lineage.type)
    again = run(copy.deepcopy(older), back, lineage.type)
    if again != older:
        there = f"version {each.version - 1} to {each.version} and back"
        change = "which the step down does not drop: have the step up leave it as it was, or write a downcaster"
        yield f"{each.name}: {there} is {_told(again)}, not {_told(older)}, {change}"


def _without(data: dict[str, Any], lost: Sequence[str]) -> dict[str, Any]:
    left = copy.deepcopy(data)
    for name in lost:
        *outer, last = name.split(".")
        part: Any = left
        for step in outer:
            part = part.get(step, {}) if isinstance(part, dict) else {}
        if isinstance(part, dict):
            part.pop(last, None)
    return left


def _holds(schema: engine.Schema, value: Any) -> bool:
    return engine.is_valid(schema, value)


def _told(data: Any) -> str:
    return encode_json(data).decode()[:200]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    data: dict[str, Any]
    seen: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict, name="as")


def _read(path: Path) -> Fixture:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File)
        return Fixture(str(path), int(path.parent.name), found.data, {int(to): data for to, data in found.seen.items()})
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise DeclarationError(f'{path} is no fixture: {error}; write {{"data": …, "as": {{"2": …}}}}') from error
