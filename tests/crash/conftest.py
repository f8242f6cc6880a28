from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash import shop
from tests.crash.telling import note

pytest.register_assert_rewrite("tests.crash.oracle", "tests.crash.shop_oracle", "tests.crash.random_kills")


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder for children to work in. "sqlite": their database is a file in it; "postgresql": one that it names."""
    if request.param == "postgresql":
        note(tmp_path / shop.DATABASE, request.getfixturevalue("postgres_url"))
    return tmp_path
