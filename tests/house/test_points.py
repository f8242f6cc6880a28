"""Every crash point in the code is killed at by a test, and no test names a point that is not there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r'"([a-z]+:[a-z-]+)"')


def names_in(folder: Path, call: str) -> set[str]:
    pattern = re.compile(call + r'\(\s*"([a-z]+:[a-z-]+)"')
    return {name for path in folder.rglob("*.py") for name in pattern.findall(path.read_text("utf-8"))}


def test_every_crash_point_is_killed_at() -> None:
    from tests.crash.points import POINTS

    assert names_in(ROOT / "src" / "tidings", r"\.at") == set(POINTS)
