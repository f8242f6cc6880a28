"""How a copy ends hangs on how a loop writes to what is closed."""

from __future__ import annotations

from tests.loops import both_for

pytest_asyncio_loop_factories = both_for("test_copying.py")
