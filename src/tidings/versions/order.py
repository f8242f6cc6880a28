"""In which order services take up a version: readers before those who feed them, and those in a circle together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def rollout(edges: Mapping[str, Collection[str]]) -> tuple[tuple[str, ...], ...]:
    """Return the rounds, sinks first, of services by whom each feeds. Ties go by name.

    The members of a circle are one round: no order of single switches exists among them.
    """
    names = sorted({*edges, *(each for fed in edges.values() for each in fed)})
    reach = {name: _reached(name, edges) for name in names}
    circles: dict[str, tuple[str, ...]] = {}
    for name in names:
        circles[name] = tuple(
            other for other in names if other == name or (other in reach[name] and name in reach[other])
        )
    left, done = sorted(set(circles.values())), list[tuple[str, ...]]()
    while left:
        placed = {name for circle in done for name in circle}
        ready = next(each for each in left if all(reach[name] <= placed | {*each} for name in each))
        left.remove(ready)
        done.append(ready)
    return tuple(done)


def _reached(name: str, edges: Mapping[str, Collection[str]]) -> set[str]:
    found: set[str] = set()
    waiting: Sequence[str] = sorted(edges.get(name, ()))
    while waiting:
        found |= set(waiting)
        waiting = sorted({fed for each in waiting for fed in edges.get(each, ())} - found)
    return found
