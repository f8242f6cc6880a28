from __future__ import annotations

import pytest

from chirp.app import app
from tidings import App


@pytest.fixture
def tidings_app() -> App:
    return app
