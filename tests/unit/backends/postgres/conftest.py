"""How a copy ends hangs on how a loop writes to what is closed, so that its tests run on both: a server may too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

BOTH: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    is_copying = item.path.name == "test_copying.py"
    return BOTH if is_copying else {"asyncio": asyncio.new_event_loop}
