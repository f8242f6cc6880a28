"""Calls to the outside that units have intended: made after their commit, at least once, always with the same key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tidings.ports import Ports
from tidings.services.functions import Function
from tidings.store.driver import StoreDriver


class Deliverer:
    """Calls the declared functions of services. `functions`: by service, then by name."""

    name = "deliveries"

    def __init__(
        self, functions: Mapping[str, Mapping[str, Function]], *, store: StoreDriver, ports: Ports, owner: str
    ) -> None: ...

    def wake(self) -> None:
        """Have it look at once: deliveries were intended by a unit that is about to commit, or has."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Call what is due until `stopping` is set; then wait for the calls under way, write their results, return."""
