"""Which versions may be appended now, and as which one an event is appended whose own may not. Pure values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tidings.store.versions import EventVersion
from tidings.versions.ending import Ending, Endings, endings_of
from tidings.versions.lineage import Lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeGates:
    """The gates of one type. `open`: versions that may be appended; `known`: all that are registered.

    `ending`: those that are deprecated, or over."""

    open: tuple[int, ...]
    known: tuple[int, ...]
    epoch: int
    ending: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates of all types, as one look at the store saw them."""

    types: Mapping[str, TypeGates] = field(default_factory=dict)
    endings: Endings = field(default_factory=dict)

    def ending(self, type: str, version: int) -> Ending | None:
        """Return what is said of a version that ends; None of one that goes on."""
        return self.endings.get((type, version))

    @property
    def epochs(self) -> Mapping[str, int]:
        return {type: each.epoch for type, each in self.types.items()}

    def is_open(self, type: str, version: int) -> bool:
        """Say whether a version may be appended. Of a type that nobody has registered, every one may be."""
        gates = self.types.get(type)
        return gates is None or version in gates.open

    def accepted(self, type: str) -> tuple[int, ...]:
        """Return the versions that may be appended."""
        gates = self.types.get(type)
        return () if gates is None else gates.open

    def landing(self, lineage: Lineage, version: int) -> int | None:
        """Return the highest open version, not above this one, to which steps lead down; None if there is none."""
        below = (each for each in reversed(self.accepted(lineage.type)) if each <= version)
        return next((each for each in below if lineage.path(version, each) is not None), None)


def gates_of(versions: Iterable[EventVersion]) -> Gates:
    """Return the gates that these rows say. One that is `closing` is shut for whoever knows that."""
    found: dict[str, list[EventVersion]] = {}
    for each in versions:
        found.setdefault(each.type, []).append(each)
    endings = endings_of(each for rows in found.values() for each in rows)
    return Gates({type: _of_type(rows, endings) for type, rows in found.items()}, endings)


def _of_type(rows: list[EventVersion], endings: Endings) -> TypeGates:
    return TypeGates(
        open=tuple(sorted(each.version for each in rows if each.gate == "open")),
        known=tuple(sorted(each.version for each in rows)),
        epoch=max(each.epoch for each in rows),
        ending=tuple(sorted(each.version for each in rows if (each.type, each.version) in endings)),
    )
