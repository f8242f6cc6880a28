"""Benchmarks are run by hand, so that what they import of the product is looked at here lest it go unnoticed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]


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
