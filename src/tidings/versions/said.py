"""What an instance says beside the versions of its lease, as JSON: written by who runs, read by the planner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from tidings.versions.lineage import Lineage, Step, Written
from tidings.versions.step import Reader

Edge = tuple[int, int]


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`natives`: versions with a class; `tolerated`: those read as they are by the class of another one.

    `reads_all`: it may read any stored entry again, as views do; else only what lies before its checkpoint. `steps`:
    from a version to a neighbour, with the members that are lost. `standing`: it counts while nothing of it runs.
    `again_after`: what stands behind this position it may be made to read again; None: nothing. `takes`: of who emits,
    which versions beside those of its lease this process takes from outside: by a class, or by schema and steps.
    """

    natives: tuple[int, ...] = ()
    tolerated: tuple[int, ...] = ()
    reads_all: bool = False
    steps: tuple[tuple[int, int, tuple[str, ...]], ...] = ()
    standing: bool = False
    again_after: int | None = None
    takes: tuple[int, ...] = ()

    @property
    def edges(self) -> Mapping[Edge, tuple[str, ...]]:
        return {(of, to): loses for of, to, loses in self.steps}

    def path(self, of: int, to: int) -> tuple[Edge, ...] | None:
        """Return the steps from one version to another; None if one is missing."""
        by = 1 if to > of else -1
        path = tuple((version, version + by) for version in range(of, to, by))
        return path if all(edge in self.edges for edge in path) else None

    def loses(self, path: Iterable[Edge]) -> tuple[str, ...]:
        """Return what is lost on the way, in the order in which it is lost."""
        return tuple(dict.fromkeys(name for edge in path for name in self.edges[edge]))


def said_of(details: bytes) -> Said:
    """Return what the lease's details say."""
    return msgspec.json.decode(details, type=Said)


def details_of(said: Said) -> bytes:
    """Return the same as a lease keeps it."""
    return msgspec.json.encode(said)


def said_by_reader(lineage: Lineage, reader: Reader, natives: Iterable[int], *, reads_all: bool) -> Said:
    """Return what a reader says of one type."""
    own = tuple(sorted(natives))
    accepts = reader.accepts(lineage.type)
    steps = steps_of(lineage)
    led = {version for version in accepts if any(_is_led(lineage, version, native) for native in own)}
    tolerated = tuple(version for version in accepts if version not in own and version not in led)
    return Said(natives=own, tolerated=tolerated, reads_all=reads_all, steps=steps)


def steps_of(lineage: Lineage) -> tuple[tuple[int, int, tuple[str, ...]], ...]:
    """Return every step between neighbours that this program has, with what is lost by it."""
    found = []
    for of, to in _edges(lineage.versions):
        step = lineage.step(of, to)
        if step is not None:
            found.append((of, to, _lost(lineage, step, of, to)))
    return tuple(found)


def _edges(versions: tuple[int, ...]) -> Iterable[Edge]:
    for version in versions:
        for other in (version - 1, version + 1):
            if other in versions:
                yield version, other


def _is_led(lineage: Lineage, version: int, native: int) -> bool:
    return native > version and lineage.path(version, native) is not None


def _lost(lineage: Lineage, step: Step, of: int, to: int) -> tuple[str, ...]:
    if isinstance(step, Written):
        return step.transformer.loses
    before, after = (set((lineage.schema(each) or {}).get("properties", {})) for each in (of, to))
    return tuple(sorted(before - after)) if to < of else ()
