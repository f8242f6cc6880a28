"""Where the scalars of an event stand: for each path that patterns use, what is found there, and in which arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from tidings.events.patterns.scalars import Scalar, scalar_of

Path = tuple[str, ...]
Chain = tuple[tuple[int, int], ...]
"""The arrays around a value, from the outermost: which array of the event, and which of its elements."""
Found = Mapping[Path, Sequence[tuple[Scalar, Chain]]]

OUTSIDE: Chain = ()


class Paths:
    """The paths that are looked for, as a tree. `path`: that of this node, if it is looked for itself."""

    __slots__ = ("children", "path")

    def __init__(self, paths: Iterable[Path]) -> None:
        self.path: Path | None = None
        self.children: dict[str, Paths] = {}
        for path in paths:
            node = self
            for segment in path:
                node = node.children.setdefault(segment, Paths(()))
            node.path = path


def find(event: Mapping[str, Any], paths: Paths) -> Found:
    """Return the scalars at these paths. A dot in a member's name separates as nesting does."""
    walk = _Walk()
    walk.object(event, paths, OUTSIDE)
    return walk.found


class _Walk:
    def __init__(self) -> None:
        self.found: dict[Path, list[tuple[Scalar, Chain]]] = {}
        self._arrays = count()

    def object(self, members: Mapping[str, Any], node: Paths, chain: Chain) -> None:
        children = node.children
        for name, value in members.items():
            below = children.get(name)
            if below is not None:
                self.value(value, below, chain)
            elif "." in name:
                self._dotted(name.split("."), value, node, chain)

    def _dotted(self, segments: Sequence[str], value: Any, node: Paths, chain: Chain) -> None:
        for segment in segments:
            below = node.children.get(segment)
            if below is None:
                return
            node = below
        self.value(value, node, chain)

    def value(self, value: Any, node: Paths, chain: Chain) -> None:
        kind = value.__class__
        if kind is dict:
            if node.children:
                self.object(value, node, chain)
        elif kind is list:
            array = next(self._arrays)
            for at, element in enumerate(value):
                self.value(element, node, (*chain, (array, at)))
        elif node.path is not None:
            scalar = value if kind is str or kind is int else scalar_of(value)
            if scalar is not None:
                there = self.found.get(node.path)
                if there is None:
                    self.found[node.path] = [(scalar, chain)]
                else:
                    there.append((scalar, chain))
