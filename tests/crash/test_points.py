"""The named points are those that the code passes, on each back end."""

from __future__ import annotations

import re
from pathlib import Path

from tests.crash.points import POINTS, SQLITES_OWN

SOURCE = Path(__file__).resolve().parents[2] / "src" / "tidings"
_PASSED = re.compile(r"points\.at\(\"([a-z:-]+)\"\)")


def passed_on(back_end: str) -> set[str]:
    """Return the points in the code, but for that of other back ends."""
    found: set[str] = set()
    for file in SOURCE.rglob("*.py"):
        room = file.relative_to(SOURCE).parts
        if room[0] != "backends" or room[1] == back_end:
            found.update(_PASSED.findall(file.read_text("utf-8")))
    return found


def test_each_point_is_passed_on_the_back_ends_that_are_said_to_have_it() -> None:
    assert passed_on("sqlite") == set(POINTS)
    assert passed_on("postgres") == set(POINTS) - SQLITES_OWN
