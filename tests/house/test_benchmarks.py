"""Benchmarks are run by hand, so that what they import of the product is looked at here lest it go unnoticed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import takewhile
from pathlib import Path

from benchmarks.printing import HEAD

ROOT = Path(__file__).parents[2]
_NAME = re.compile(r'^NAME = "([a-z-]+)"$', re.MULTILINE)


def imported() -> Iterator[tuple[str, str, str]]:
    """Yield each file, module and name that a benchmark imports from the product."""
    for path in sorted((ROOT / "benchmarks").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "tidings":
                for alias in node.names:
                    yield path.name, node.module or "", alias.name


def is_there(module: str, name: str) -> bool:
    try:
        return hasattr(import_module(module), name) or import_module(f"{module}.{name}") is not None
    except ImportError:
        return False


def test_what_benchmarks_import_of_the_product_is_there() -> None:
    found = list(imported())
    assert len(found) > 20
    assert [each for each in found if not is_there(*each[1:])] == []


def test_the_readme_shows_the_table_that_one_command_prints() -> None:
    shown = re.search(r"^SHOWN := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert shown is not None
    known = {
        found[1] for path in (ROOT / "benchmarks").glob("*.py") if (found := _NAME.search(path.read_text("utf-8")))
    }
    assert set(shown[1].split()) <= known
    readme = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert "`make figures`" in "\n".join(readme)
    rows = readme[readme.index(HEAD[0]) + 2 :]
    assert len(list(takewhile(lambda line: line.startswith("|"), rows))) == len(shown[1].split())
