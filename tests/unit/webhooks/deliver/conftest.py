"""The guard hangs on how a loop dials."""

from __future__ import annotations

from tests.loops import both_for

pytest_asyncio_loop_factories = both_for("test_guard.py")
