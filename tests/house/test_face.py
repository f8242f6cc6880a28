"""What a stranger sees first: the public names, the README, the texts."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import tidings

ROOT = Path(__file__).resolve().parents[2]
FACE = ROOT / "src" / "tidings" / "__init__.py"
TEXTS = {".py", ".md", ".toml", ".txt", ".yml", ".sh", ""}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_the_face_is_small_and_sorted() -> None:
    assert len(tidings.__all__) <= 30
    assert list(tidings.__all__) == sorted(tidings.__all__)
    assert all(hasattr(tidings, name) for name in tidings.__all__)


def test_a_public_name_is_what_a_type_checker_takes_it_for() -> None:
    imports = [node for node in ast.walk(ast.parse(FACE.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    told = {alias.name: node.module or "" for node in imports for alias in node.names if node.module != "typing"}
    told.pop("import_module")
    assert sorted(told) == list(tidings.__all__)
    assert all(getattr(tidings, name) is getattr(import_module(home), name) for name, home in told.items())
    assert set(told) <= set(dir(tidings))


def test_the_package_imports_its_parts_only_when_they_are_asked_for() -> None:
    looked = "import sys, tidings; print([name for name in sys.modules if name.startswith('tidings.')])"
    ended = subprocess.run([sys.executable, "-c", looked], capture_output=True, check=True, timeout=60)
    assert ended.stdout == b"[]\n"


def test_every_public_thing_says_what_it_is() -> None:
    undocumented = [
        name for name in tidings.__all__ if callable(getattr(tidings, name)) and not getattr(tidings, name).__doc__
    ]
    assert undocumented == []


def test_the_readme_is_at_most_130_lines() -> None:
    assert (ROOT / "README.md").read_text("utf-8").count("\n") <= 130


def test_no_file_names_a_package_index_or_a_path_of_a_machine() -> None:
    address = re.compile(
        r"--(extra-)?index-url|/(root|home/\w+|work)/|\bfile:///\w|files\.pythonhosted|\bpypi\.org/simple"
    )
    own = Path(__file__).resolve()
    found = {
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        if path.suffix in TEXTS and path != own
        for match in address.finditer(path.read_text("utf-8"))
    }
    assert found == set()


def test_links_between_documents_lead_somewhere() -> None:
    link = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)[^)]*\)")
    broken = {
        f"{path.relative_to(ROOT)} -> {match.group(1)}"
        for path in tracked()
        if path.suffix == ".md"
        for match in link.finditer(path.read_text("utf-8"))
        if not (path.parent / match.group(1)).exists()
    }
    assert broken == set()
