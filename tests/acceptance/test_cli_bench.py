"""`tidings bench` runs the benchmarks of a clone, and says where to find them elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tidings", "bench", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder laid out as a clone, whose benchmarks print what they are given, and from where, and end with 1."""
    (tmp_path / "src" / "tidings").mkdir(parents=True)
    (tmp_path / "src" / "tidings" / "__init__.py").write_text("HERE = True", "utf-8")
    (tmp_path / "benchmarks").mkdir()
    program = "import sys, json, tidings; print(json.dumps([*sys.argv[1:], tidings.HERE])); sys.exit(1)"
    (tmp_path / "benchmarks" / "__main__.py").write_text(program, "utf-8")
    need(tmp_path, "msgspec>=0.1")
    return tmp_path


def need(clone: Path, *packages: str) -> None:
    (clone / "pyproject.toml").write_text(f"[dependency-groups]\nbench = {json.dumps(packages)}\n", "utf-8")


def test_the_benchmarks_of_a_clone_measure_it_with_these_options_and_their_exit_code_is_told(clone: Path) -> None:
    given = ("--quick", "--markdown", "--only", "fold", "--only", "replay", "--folder", "x", "--json")
    said = ["--quick", "--markdown", "--json", "--only", "fold", "--only", "replay", "--folder", "x", True]
    ended = bench(clone, *given)
    assert (ended.returncode, json.loads(ended.stdout)) == (1, said)


def test_everything_that_is_measured_beside_it_must_be_installed(clone: Path) -> None:
    need(clone, "msgspec>=0.1", "no-such-peer[extra]>=1", "another.absent")
    ended = bench(clone, "--quick")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "is not installed here (no-such-peer, another.absent): `make bench` installs and runs it" in ended.stderr


def test_elsewhere_it_is_said_what_to_do(tmp_path: Path) -> None:
    ended = bench(tmp_path, "--quick")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "is no clone of tidings" in ended.stderr
    assert "`make bench`" in ended.stderr
