"""What several acceptance tests run on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.http_server import in_file
from tidings import Settings


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Each back end in turn."""
    here = in_file(tmp_path)
    if request.param == "sqlite":
        return here
    return replace(here, database_url=str(request.getfixturevalue("postgres_url")))
