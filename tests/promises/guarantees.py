"""`docs/guarantees.md`, read: which promises there are, and the test behind each."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guarantees.md"
_LINE = re.compile(
    r"^\| (?P<name>[a-z]+) \| (?P<text>[^|]+) \|[^|]+\|[^|]+\|[^|]+\| `(?P<test>[^`]+)` \|$", re.MULTILINE
)
_ON_POSTGRES = re.compile(r"^\| ([a-z]+) \| `([^`]+)` \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Promise:
    """One line. `test`: a file and a function, or a class and its method, as pytest names them."""

    name: str
    text: str
    test: str

    def proof(self) -> object:
        """Return the test itself; an error if there is none of this name."""
        path, *names = self.test.split("::")
        found: object = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        for name in names:
            found = getattr(found, name)
        return found


def on_postgres() -> dict[str, Promise]:
    """Return what is proven on PostgreSQL itself: the promises' names, and the tests there."""
    found = _ON_POSTGRES.findall(PAGE.read_text("utf-8"))
    assert len(dict(found)) == len(found)
    return {name: Promise(name, "", test) for name, test in found}


def promises() -> dict[str, Promise]:
    """Return all promises by their names."""
    lines = [Promise(found["name"], found["text"], found["test"]) for found in _LINE.finditer(PAGE.read_text("utf-8"))]
    assert len({line.name for line in lines}) == len(lines)
    return {line.name: line for line in lines}
