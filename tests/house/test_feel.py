"""The house rules that a machine can check: sizes, names, nesting, places where the outside world may enter."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "tidings"
FILES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES}

FUNCTION_LINES = 50
PARAMETERS = 6
NESTING = 3
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc"}
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def lines(path: Path) -> int:
    return path.read_text("utf-8").count("\n")


def quantile(values: list[int], share: float) -> int:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def test_no_file_is_longer_than_400_lines() -> None:
    assert {str(path.relative_to(ROOT)): lines(path) for path in FILES if lines(path) > 400} == {}


def test_most_files_can_be_read_in_one_sitting() -> None:
    sizes = [lines(path) for path in FILES if path.name != "__init__.py"]
    assert statistics.median(sizes) <= 150
    assert quantile(sizes, 0.9) <= 300


def test_no_function_is_longer_than_50_lines() -> None:
    sizes = {name: (node.end_lineno or node.lineno) - node.lineno + 1 for name, node in functions()}
    assert {name: size for name, size in sizes.items() if size > FUNCTION_LINES} == {}


def test_most_functions_are_short() -> None:
    sizes = [(node.end_lineno or node.lineno) - node.lineno + 1 for _, node in functions()]
    assert statistics.median(sizes) <= 8
    assert quantile(sizes, 0.9) <= 25


def is_command(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A command's options are its parameters; they are a face, not a signature that anyone calls."""
    said = [node.args, *node.decorator_list]
    return name.startswith("src/tidings/cli/") and any(
        word in ast.unparse(each) for each in said for word in ("typer.", "commands.command(")
    )


def test_no_function_takes_more_than_six_parameters() -> None:
    def count(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        names = [argument.arg for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
        return len(names) - (names[:1] in (["self"], ["cls"]))

    assert {
        name: count(node) for name, node in functions() if count(node) > PARAMETERS and not is_command(name, node)
    } == {}


def depth(node: ast.AST) -> int:
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        chained = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        deepest = max(deepest, depth(child) + (isinstance(child, BLOCKS) and not chained))
    return deepest


def test_no_function_nests_deeper_than_three() -> None:
    assert {name: depth(node) for name, node in functions() if depth(node) > NESTING} == {}


def test_no_file_or_folder_has_an_empty_name() -> None:
    parts = {part for path in FILES for part in path.relative_to(SOURCE).with_suffix("").parts}
    assert parts & FORBIDDEN_NAMES == set()


def test_the_environment_is_read_only_at_the_top() -> None:
    below = [path for path in FILES if path.relative_to(SOURCE).parts[0] not in ("app", "cli", "demo", "__main__.py")]
    assert [str(path) for path in below if re.search(r"\bos\.(environ|getenv)\b", path.read_text("utf-8"))] == []


def test_no_unfinished_work_is_left_behind() -> None:
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\bNotImplementedError\b")
    assert [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in FILES
        for match in words.finditer(path.read_text("utf-8"))
    ] == []


def test_types_are_ignored_only_by_name() -> None:
    blanket = re.compile(r"#\s*type:\s*ignore(?!\[)|#\s*noqa(?!:)")
    assert [str(path) for path in FILES if blanket.search(path.read_text("utf-8"))] == []


MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def test_no_module_holds_state_that_code_changes() -> None:
    """A module-level list, dict or set is a constant: its name is in capitals and nobody calls its mutators."""
    changing = re.compile(
        r"\b_?([A-Z][A-Z0-9_]*)(\.(append|add|update|pop|clear|extend|setdefault|remove)\(|\[[^\]]*\]\s*=[^=])"
    )
    found = []
    for path, tree in TREES.items():
        text = path.read_text("utf-8")
        for node in tree.body:
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            value = getattr(node, "value", None)
            for target in targets:
                name = ast.unparse(target)
                if isinstance(value, MUTABLE) and not name.lstrip("_").isupper() and name != "__all__":
                    found.append(f"{path.relative_to(ROOT)}: {name}")
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in changing.finditer(text)]
    assert found == []


@pytest.mark.parametrize("name", ["pickle", "marshal", "shelve", "yaml"])
def test_no_unsafe_reader_is_imported(name: str) -> None:
    imported = {
        alias.name.split(".")[0]
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").split(".")[0]
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert name not in imported


def test_no_code_is_made_from_text() -> None:
    calls = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("eval", "exec", "compile")
    }
    assert calls == set()
