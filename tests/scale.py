"""How large the random tests are: the one place that reads it. See README.md beside this file."""

from __future__ import annotations

import os

SCALE = max(1, int(os.environ.get("TEST_SCALE", "1")))
