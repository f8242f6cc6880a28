"""`tidings bench` runs the benchmarks of a checkout, and says where to find them elsewhere."""

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
def checkout(tmp_path: Path) -> Path:
    """A folder laid out as a checkout, whose benchmarks print what they are given and end with 1."""
    (tmp_path / "src" / "tidings").mkdir(parents=True)
    (tmp_path / "benchmarks").mkdir()
    program = "import sys, json; print(json.dumps(sys.argv[1:])); sys.exit(1)"
    (tmp_path / "benchmarks" / "__main__.py").write_text(program, "utf-8")
    return tmp_path


def test_the_benchmarks_of_a_checkout_are_run_with_its_options_and_their_exit_code_is_told(checkout: Path) -> None:
    (checkout / "eventsourcing.py").touch()
    ended = bench(checkout, "--quick", "--only", "fold", "--only", "replay", "--folder", "x", "--json")
    said = ["--quick", "--json", "--only", "fold", "--only", "replay", "--folder", "x"]
    assert (ended.returncode, json.loads(ended.stdout)) == (1, said)


def test_what_is_measured_beside_it_must_be_installed(checkout: Path) -> None:
    without = "import sys; sys.modules['eventsourcing'] = None; from tidings.cli import main; main()"
    command = [sys.executable, "-c", without, "bench", "--quick"]
    ended = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "`make bench` installs and runs it" in ended.stderr


def test_elsewhere_it_is_said_what_to_do(tmp_path: Path) -> None:
    ended = bench(tmp_path, "--quick")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "is no checkout of tidings" in ended.stderr
    assert "`make bench`" in ended.stderr
