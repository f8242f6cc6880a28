"""What a release has of its types: real classes and steps, so that what it reads is asked of the code that reads."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import msgspec

from tidings import downcaster, event, upcaster
from tidings.events.codec import encode_json
from tidings.events.declaration import declared
from tidings.versions.lineage import Data, Lineage
from tidings.versions.said import Said, details_of, said_by_reader, steps_of
from tidings.versions.schemas import schema_of
from tidings.versions.step import Reader
from tidings.versions.verdict import judge

NEWEST = 4
VERSIONS = tuple(range(1, NEWEST + 1))


@dataclass(frozen=True)
class Shape:
    """A type. `changes`: whether versions 2, 3 and 4 rename the member that is needed, or add one with a default."""

    type: str
    renames: tuple[bool, ...]

    @property
    def edges(self) -> frozenset[int]:
        """The versions from which a written step leads to the next."""
        return frozenset(version for version, renames in enumerate(self.renames, 1) if renames)

    def key(self, version: int) -> str:
        """Return the name of the member that is needed."""
        return f"k{max([1, *(to + 1 for to in self.edges if to < version)])}"

    def added(self, version: int) -> list[str]:
        return [f"m{to}" for to in range(2, version + 1) if not self.renames[to - 2]]

    def data(self, version: int, id: str) -> bytes:
        return encode_json({"id": id, self.key(version): id, **dict.fromkeys(self.added(version), 1)})


@dataclass(frozen=True)
class Known:
    """What a release has of one type: classes, and the versions from which its written steps lead up, and down."""

    shape: Shape
    natives: frozenset[int]
    ups: frozenset[int]
    downs: frozenset[int]

    @property
    def top(self) -> int:
        return max(self.natives)

    def without_class(self, version: int) -> Known | None:
        """Return the same without a class; None if that was its only one. Its steps stay."""
        left = self.natives - {version}
        return replace(self, natives=left) if left and version < self.top else None

    def without_step(self, of: int, to: int) -> Known:
        return replace(self, ups=self.ups - {of}) if to > of else replace(self, downs=self.downs - {of})


Release = dict[str, Known]


def draw_release(draw: random.Random, shapes: Iterable[Shape], *, whole: bool = False) -> Release:
    """Return some release, in which a class or step may be missing; `whole`: the one that lacks nothing."""
    return {shape.type: _whole(shape) if whole else _drawn(draw, shape) for shape in shapes}


def _whole(shape: Shape) -> Known:
    return Known(shape, frozenset({NEWEST}), shape.edges, frozenset(each + 1 for each in shape.edges))


def _drawn(draw: random.Random, shape: Shape) -> Known:
    top = max(draw.choice(VERSIONS), draw.choice((1, *VERSIONS)))
    natives = {top, *(version for version in range(1, top) if draw.random() < 0.3)}
    edges = [each for each in shape.edges if each < top]
    keeps = draw.choice((1.0, 1.0, 0.8))
    ups = frozenset(each for each in edges if draw.random() < keeps)
    downs = frozenset(each + 1 for each in edges if draw.random() < keeps)
    return Known(shape, frozenset(natives), ups, downs)


@cache
def classes(known: Known) -> dict[int, type]:
    """Return the class of each version; the newest one has all the steps."""
    made = {version: _class(known.shape, version) for version in known.natives}
    for of in known.ups:
        upcaster(made[known.top], from_version=of)(_renaming(known.shape, of, of + 1))
    for of in known.downs:
        downcaster(made[known.top], from_version=of)(_renaming(known.shape, of, of - 1))
    return made


def _class(shape: Shape, version: int) -> type:
    members: list[Any] = [("id", str), (shape.key(version), str), *((name, int, 0) for name in shape.added(version))]
    made = msgspec.defstruct(f"Version{version}", members, frozen=True)
    return event(shape.type, version=version, subject="id")(made)


def _renaming(shape: Shape, of: int, to: int) -> Any:
    before, after = shape.key(of), shape.key(to)

    def renamed(data: Data) -> Data:
        return {"id": data["id"], after: data[before], **{name: 1 for name in shape.added(to) if name in data}}

    return renamed


class _Judged(Lineage):
    """Verdicts of schemas take most of the time, and are the same for every release of a shape."""

    shape: Shape

    def _judged(self, reader: int, writer: int) -> Any:
        if self.schema(reader) is None or self.schema(writer) is None:
            return "unknown"
        return _verdict(self.shape, reader, writer)


@cache
def schema(shape: Shape, version: int) -> Any:
    return schema_of(_class(shape, version))


@cache
def _verdict(shape: Shape, reader: int, writer: int) -> Any:
    return judge(schema(shape, reader), schema(shape, writer)).answer


@cache
def lineage(known: Known, told: frozenset[int]) -> Lineage:
    """Return what the release knows of the type, once it was told of these versions, too."""
    told = told | frozenset(range(1, known.top + 1))
    schemas = {version: schema(known.shape, version) for version in told}
    made = _Judged(known.shape.type, [declared(each) for each in classes(known).values()], schemas)
    made.shape = known.shape
    return made


@cache
def reader(known: Known, told: frozenset[int]) -> Reader:
    return Reader({known.shape.type: lineage(known, told)}, {known.shape.type: known.natives})


@cache
def accepts(known: Known, told: frozenset[int]) -> frozenset[int]:
    return frozenset(reader(known, told).accepts(known.shape.type))


@cache
def said(known: Known, told: frozenset[int], *, reads_all: bool) -> bytes:
    """Return what an instance says of what it reads."""
    of, way = lineage(known, told), reader(known, told)
    return details_of(said_by_reader(of, way, known.natives, reads_all=reads_all))


@cache
def steps(known: Known, told: frozenset[int]) -> bytes:
    return details_of(Said(steps=steps_of(lineage(known, told))))


@cache
def lands(known: Known, told: frozenset[int], open_: frozenset[int]) -> int | None:
    """Return the version that the release appends; None if none may be."""
    of = lineage(known, told)
    below = [each for each in sorted(open_, reverse=True) if each <= known.top]
    return next((each for each in below if each == known.top or of.path(known.top, each) is not None), None)


def is_served(known: Known, told: frozenset[int], version: int, pin: int) -> bool:
    return version == pin or lineage(known, told).path(version, pin) is not None
