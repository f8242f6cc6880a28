"""Take each promise's rule out of the code, and see its test fail.

`python -m tests.promises.mutations [--on postgresql] [NAME …]` prints each promise with what its test said. It ends
with 1 unless each test passes with its rule and fails without it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.promises.guarantees import ROOT, Promise, on_postgres, promises
from tests.promises.postgres_rules import POSTGRES_RULES
from tests.promises.rules import RULES, Rule

SOURCE = ROOT / "src"
SECONDS = 180
PASSED, FAILED = 0, 1
SETS: Mapping[str, tuple[Sequence[Rule], Callable[[], dict[str, Promise]], str]] = MappingProxyType(
    {
        "sqlite": (RULES, promises, "not postgresql-"),
        "postgresql": (POSTGRES_RULES, on_postgres, "not sqlite-"),
    }
)
"""For each back end its rules, their promises, and what tests that run on several are cut down to (pytest's `-k`)."""


def times_found(rule: Rule) -> int:
    """Return how often the rule's text stands in its file; it has to be once."""
    return (SOURCE / "tidings" / rule.file).read_text("utf-8").count(rule.old)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a test without its rule. `reason`: what it said first."""

    word: str
    reason: str = ""

    @property
    def is_right(self) -> bool:
        return self.word == "fails"


class Trials:
    """Runs tests on copies of the code. `only`: as in `SETS`."""

    def __init__(self, only: str) -> None:
        self._only = only
        self._with_rules: dict[str, tuple[int, str]] = {}

    def outcome(self, rule: Rule, test: str) -> Outcome:
        """Run the test on a copy of the code, then on the copy without the rule, and say what became of it."""
        if times_found(rule) != 1:
            return Outcome("RULE NOT FOUND")
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "src"
            shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
            if test not in self._with_rules:
                self._with_rules[test] = self._run(test, copy)
            code, reason = self._with_rules[test]
            if code != PASSED:
                return Outcome("FAILS ANYWAY", reason)
            changed = copy / "tidings" / rule.file
            changed.write_text(changed.read_text("utf-8").replace(rule.old, rule.new), "utf-8")
            code, reason = self._run(test, copy)
        return Outcome({PASSED: "STILL PASSES", FAILED: "fails"}.get(code, f"COULD NOT RUN ({code})"), reason)

    def _run(self, test: str, source: Path) -> tuple[int, str]:
        """Return pytest's exit code, and what the test said first."""
        command = [sys.executable, "-m", "pytest", "-x", f"--timeout={SECONDS}", "-k", self._only, f"{ROOT}/{test}"]
        env = os.environ | {"PYTHONPATH": str(source)}
        try:
            found = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=2 * SECONDS)
        except subprocess.TimeoutExpired:
            return FAILED, "it never ends"
        reasons = [line[1:].strip() for line in found.stdout.splitlines() if line.startswith("E  ")]
        return found.returncode, reasons[0] if reasons else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--on", choices=SETS, default="sqlite")
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args()
    rules, read, only = SETS[given.on]
    proven, names = read(), given.names
    unknown = set(names) - set(proven)
    if unknown:
        there = ", ".join(sorted(proven))
        print(f"no promise is called {', '.join(sorted(unknown))}; there is {there}", file=sys.stderr)
        return 2
    trials, wrong = Trials(only), 0
    for rule in rules:
        if names and rule.promise not in names:
            continue
        test = proven[rule.promise].test
        found = trials.outcome(rule, test)
        wrong += not found.is_right
        print(f"{rule.promise:14}{found.word:16}{rule.file:34}{test.rpartition('::')[2]}", flush=True)
        print(f"{'':30}{found.reason:.120}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
