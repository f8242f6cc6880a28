"""The store as an application's consumers and commands have it: they read once admitted, and append what is open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, cast

from tidings.app.instance import Instance
from tidings.store.claims import Claim
from tidings.store.driver import StoreDriver
from tidings.store.unit import Unit
from tidings.versions.gatekeeper import Gatekeeper


def passing(store: StoreDriver, keeper: Gatekeeper) -> StoreDriver:
    """Return the store, in whose units what is appended counts as under way."""
    return cast(StoreDriver, _Passing(store, keeper))


def admitting(store: StoreDriver, instance: Instance) -> StoreDriver:
    """Return the store, of which a consumer that is not admitted gets no partitions."""
    return cast(StoreDriver, _Admitting(store, instance))


class _Passing:
    def __init__(self, store: StoreDriver, keeper: Gatekeeper) -> None:
        self._store = store
        self._keeper = keeper

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def unit(self, *claims: Claim) -> AbstractAsyncContextManager[Unit]:
        return self._unit(claims)

    @asynccontextmanager
    async def _unit(self, claims: tuple[Claim, ...]) -> AsyncIterator[Unit]:
        with self._keeper.passing():
            async with self._store.unit(*claims) as unit:
                yield unit


class _Admitting:
    def __init__(self, store: StoreDriver, instance: Instance) -> None:
        self._store = store
        self._instance = instance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def claim(self, consumer: str, *, owner: str, want: int, ttl: timedelta) -> Sequence[Claim]:
        if not await self._instance.may_read(consumer):
            return ()
        return await self._store.claim(consumer, owner=owner, want=want, ttl=ttl)
