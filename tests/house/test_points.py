"""Every crash point in the code is killed at by a test, and no test names a point that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.crash.points import POINTS

ROOT = Path(__file__).resolve().parents[2]


def found_in(folder: Path, pattern: str) -> set[str]:
    return {name for path in folder.rglob("*.py") for name in re.findall(pattern, path.read_text("utf-8"))}


def test_every_crash_point_in_the_code_is_on_the_list_and_the_other_way_round() -> None:
    assert found_in(ROOT / "src" / "tidings", r'\.at\(\s*"([a-z]+:[a-z-]+)"') == set(POINTS)


def test_the_points_of_every_room_are_killed_at() -> None:
    rooms = {point.partition(":")[0] for point in POINTS}
    assert found_in(ROOT / "tests" / "crash", r'parametrize\("point", of\("([a-z]+)"\)') == rooms
