"""Chapter "commands": what was done under a key is remembered with what it did, for ever."""

from __future__ import annotations

import asyncio

import pytest

from tidings.conformance.store_samples import claimed_one, undone
from tidings.errors import RefusedError
from tidings.store.driver import StoreDriver


class Remembering:
    """A mixin of `StoreSuite`."""

    async def test_a_command_is_unknown_until_it_is_remembered(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            assert await unit.command("shop", "k") is None
            await unit.remember("shop", "k", 3)
            assert await unit.command("shop", "k") == 3
        async with store.unit() as unit:
            assert await unit.command("shop", "k") == 3

    async def test_a_command_that_emitted_nothing_is_remembered_all_the_same(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            await unit.remember("shop", "k", 0)
        async with store.unit() as unit:
            assert await unit.command("shop", "k") == 0

    async def test_a_key_is_one_services_own_and_as_it_was_given(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            await unit.remember("shop", "k", 1)
        async with store.unit() as unit:
            for service, key in (("bank", "k"), ("shop", "K"), ("shop", "k "), ("shop", "ķ")):
                assert await unit.command(service, key) is None

    async def test_what_is_rolled_back_was_not_done(self, store: StoreDriver) -> None:
        async with undone(store.unit()) as unit:
            await unit.remember("shop", "k", 1)
        async with store.unit() as unit:
            async with undone(unit.savepoint()):
                await unit.remember("shop", "k", 1)
            assert await unit.command("shop", "k") is None

    async def test_a_command_is_remembered_once(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            await unit.remember("shop", "k", 1)
        async with store.unit() as unit:
            with pytest.raises(RefusedError, match="'k'"):
                await unit.remember("shop", "k", 2)
        async with store.unit() as unit:
            assert await unit.command("shop", "k") == 1

    async def test_of_two_that_come_at_once_one_is_the_first(self, store: StoreDriver) -> None:
        async def perform() -> bool:
            async with store.unit() as unit:
                if await unit.command("shop", "k") is not None:
                    return False
                await unit.remember("shop", "k", 1)
                return True

        assert sorted(await asyncio.gather(*(perform() for _ in range(10)))) == [False] * 9 + [True]

    async def test_it_is_remembered_in_a_unit_with_claims_too(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        async with store.unit(claim) as unit:
            await unit.remember("shop", "k", 2)
            unit.advance(to=1)
        async with store.unit() as unit:
            assert await unit.command("shop", "k") == 2
