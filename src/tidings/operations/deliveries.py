"""Calls to the outside, as operators see them: those that wait, those that are done, those that were given up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tidings.ports import Clock
from tidings.store.driver import StoreDriver

State = Literal["pending", "done", "dead"]


async def deliveries(store: StoreDriver, state: State | None, *, limit: int) -> Sequence[Mapping[str, Any]]:
    """Return deliveries, oldest first; see `StoreDriver.deliveries`. Payloads are the application's, and left out."""
    found = await store.deliveries(state, limit=limit)
    return [{name: value for name, value in each.items() if name != "payload"} for each in found]


async def retry(store: StoreDriver, key: str, clock: Clock) -> None:
    """Have a dead delivery called again now, with all its attempts. NotFoundError; RefusedError if it is not dead."""
    await store.retry_delivery(key, at=clock.now_us())
