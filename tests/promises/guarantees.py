"""`docs/guarantees.md`, read: which promises there are, and the test behind each."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guarantees.md"
_LINE = re.compile(
    r"^\| (?P<name>[a-z]+) \| (?P<text>[^|\n]+) \|(?:[^|\n]+\|){3} (?P<there>[^|\n]+) \| `(?P<test>[^`]+)` \|$",
    re.MULTILINE,
)
_ON_POSTGRES = re.compile(r"^\| (?P<name>[a-z]+) \|(?: (?P<text>[^|\n]+) \|)? `(?P<test>[^`]+)` \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Promise:
    """One line. `test`: a file and a function, or a class and its method, as pytest names them.

    `there`: whether it holds on PostgreSQL too, as the page says it; "" in the lines of that back end.
    """

    name: str
    text: str
    test: str
    there: str = ""

    def proof(self) -> object:
        """Return the test itself; an error if there is none of this name."""
        path, *names = self.test.split("::")
        found: object = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        for name in names:
            found = getattr(found, name)
        return found


def on_postgres() -> dict[str, Promise]:
    """Return what is proven on PostgreSQL itself by its names, with the tests there. `text`: "" if it is said above."""
    found = _ON_POSTGRES.finditer(PAGE.read_text("utf-8"))
    return by_names([Promise(each["name"], each["text"] or "", each["test"]) for each in found])


def promises() -> dict[str, Promise]:
    """Return all promises by their names."""
    return by_names([Promise(**found.groupdict()) for found in _LINE.finditer(PAGE.read_text("utf-8"))])


def by_names(lines: Sequence[Promise]) -> dict[str, Promise]:
    found = {line.name: line for line in lines}
    assert len(found) == len(lines), "a name stands there twice"
    return found
