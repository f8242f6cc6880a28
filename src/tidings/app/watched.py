"""The store as an application's consumers and commands have it: they read once admitted, and append what is open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import cast

from tidings.app.instance import Instance
from tidings.store.claims import Claim
from tidings.store.driver import StoreDriver
from tidings.store.through import Through
from tidings.store.unit import Unit
from tidings.versions.gatekeeper import Gatekeeper


def passing(store: StoreDriver, keeper: Gatekeeper) -> StoreDriver:
    """Return the store, in whose units what is appended counts as under way."""
    return cast(StoreDriver, _Passing(store, keeper))


def admitting(store: StoreDriver, instance: Instance) -> StoreDriver:
    """Return the store, of which a consumer that is not admitted gets no partitions."""
    return cast(StoreDriver, _Admitting(store, instance))


class _Passing(Through[StoreDriver]):
    def __init__(self, store: StoreDriver, keeper: Gatekeeper) -> None:
        super().__init__(store)
        self._keeper = keeper

    @asynccontextmanager
    async def unit(self, *claims: Claim) -> AsyncIterator[Unit]:
        with self._keeper.passing():
            async with self._inner.unit(*claims) as unit:
                yield unit


class _Admitting(Through[StoreDriver]):
    def __init__(self, store: StoreDriver, instance: Instance) -> None:
        super().__init__(store)
        self._instance = instance

    async def claim(self, consumer: str, *, owner: str, want: int, ttl: timedelta) -> Sequence[Claim]:
        if not await self._instance.may_read(consumer):
            return ()
        return await self._inner.claim(consumer, owner=owner, want=want, ttl=ttl)
