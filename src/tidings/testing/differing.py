"""Failures in words: what was expected, what came, and what a reader may look for. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from tidings.testing.shown import End, Letter
from tidings.wording import counted

LINES = 40


def difference(expected: Sequence[str], came: Sequence[str]) -> str:
    """Return the two lists as one: `-` stands before what was expected alone, `+` before what came alone."""
    lines = [f"  {line.rstrip()}" for line in difflib.ndiff(expected, came) if not line.startswith("?")]
    more = [f"  … and {counted(len(lines) - LINES, 'line')} more"] if len(lines) > LINES else []
    return "\n".join(lines[:LINES] + more)


def wrong_events(expected: Sequence[object], came: Sequence[object]) -> str:
    """Say how the emitted events differ from those that were expected."""
    count = counted(len(expected), "event") if expected else "no events"
    said = difference([repr(each) for each in expected], [repr(each) for each in came])
    if not came:
        said += "\n  (nothing was emitted)"
    elif sorted(map(repr, expected)) == sorted(map(repr, came)):
        said += "\n  (the same events, in another order)"
    return f"expected {count} to be emitted, came {len(came)}:   - expected, + came\n{said}"


def set_aside(letters: Sequence[Letter]) -> str:
    """Say what failed without the test's asking for it."""
    said = "\n".join(f"  {letter}" for letter in letters)
    return f"something failed, and the test has not looked at scenario.dead_letters:\n{said}"


def parts_that_differ(before: End, after: End) -> str:
    """Return the parts in which two ends differ, each with its lines."""
    names = dict.fromkeys([*before.parts, *after.parts])
    pairs = ((name, before.parts.get(name, []), after.parts.get(name, [])) for name in names)
    return "\n".join(f"  {name}:\n{difference(one, other)}" for name, one, other in pairs if one != other)


def numbered(order: Iterable[int], events: Sequence[object]) -> str:
    """Return the events in this order, each with the number it has in the list."""
    return "\n".join(f"  {n + 1}. {events[n]!r}" for n in order)
