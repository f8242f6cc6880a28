"""Event loops that tests run on, where what they look at hangs on the loop: a server may run on either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

Loops = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]


def both_for(file: str) -> Callable[[pytest.Config, pytest.Item], Loops]:
    """Return the hook of a conftest that has the tests of this file run on both, and all others on asyncio's."""

    def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Loops:
        one: Loops = {"asyncio": asyncio.new_event_loop}
        return {**one, "uvloop": uvloop.new_event_loop} if item.path.name == file else one

    return pytest_asyncio_loop_factories
