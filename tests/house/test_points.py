"""Every crash point in the code is killed at by a test, and no test names a point that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tests.crash.points import POINTS, SQLITES_OWN

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "tidings"


def found_in(files: Iterable[Path], pattern: str) -> set[str]:
    return {name for path in files for name in re.findall(pattern, path.read_text("utf-8"))}


def run_on(back_end: str) -> list[Path]:
    """Return the files of the program, but for those of other back ends."""
    backends = SOURCE / "backends"
    return [
        file for file in SOURCE.rglob("*.py") if backends not in file.parents or backends / back_end in file.parents
    ]


def test_every_crash_point_in_the_code_is_on_the_list_of_its_back_ends_and_the_other_way_round() -> None:
    passed = r'\.at\(\s*"([a-z]+:[a-z-]+)"'
    assert found_in(run_on("sqlite"), passed) == set(POINTS)
    assert found_in(run_on("postgres"), passed) == set(POINTS) - SQLITES_OWN


def test_the_points_of_every_room_are_killed_at_on_every_back_end_that_has_them() -> None:
    tests = [*(ROOT / "tests" / "crash").rglob("test_*.py")]
    on_each = found_in(tests, r'parametrize\(\("place", "point"\), on_each\("([a-z]+)"\)')
    on_sqlite = found_in(tests, r'parametrize\("point", of\("([a-z]+)"\)')
    assert on_each == {point.partition(":")[0] for point in set(POINTS) - SQLITES_OWN}
    assert on_each | on_sqlite == {point.partition(":")[0] for point in POINTS}
