"""Take each promise's rule out of the code, and see its test fail: `python -m tests.promises.mutations [NAME …]`.

Prints a line for each promise. Ends with 1 if a test still passes without its rule, or if a rule is not found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.promises.guarantees import ROOT, promises
from tests.promises.rules import RULES, Rule

SOURCE = ROOT / "src"
SECONDS = 180
PASSED, FAILED = 0, 1


def times_found(rule: Rule) -> int:
    """Return how often the rule's text stands in its file; it has to be once."""
    return (SOURCE / "tidings" / rule.file).read_text("utf-8").count(rule.old)


def outcome(rule: Rule, test: str) -> str:
    """Run the test on a copy of the code without the rule, and say what became of it."""
    if times_found(rule) != 1:
        return "NOT FOUND"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "src"
        shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        changed = copy / "tidings" / rule.file
        changed.write_text(changed.read_text("utf-8").replace(rule.old, rule.new), "utf-8")
        try:
            return named(run(test, copy))
        except subprocess.TimeoutExpired:
            return "fails (never ends)"


def run(test: str, source: Path) -> int:
    command = [sys.executable, "-m", "pytest", "-x", f"--timeout={SECONDS}", f"{ROOT}/{test}"]
    found = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(source)}, capture_output=True, timeout=2 * SECONDS
    )
    return found.returncode


def named(code: int) -> str:
    return {PASSED: "STILL PASSES", FAILED: "fails"}.get(code, f"COULD NOT RUN ({code})")


def main(names: Sequence[str]) -> int:
    proven = promises()
    wrong = 0
    for rule in RULES:
        if names and rule.promise not in names:
            continue
        found = outcome(rule, proven[rule.promise].test)
        wrong += not found.startswith("fails")
        print(f"{rule.promise:14}{found:20}{rule.file:34}{proven[rule.promise].test.rpartition('::')[2]}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
