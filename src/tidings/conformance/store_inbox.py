"""Chapter "inbox": where a log forgets ids, a consumer does not."""

from __future__ import annotations

import pytest

from tidings.conformance.store_samples import (
    CONSUMER,
    claimed_one,
    entry,
)
from tidings.errors import ConflictError
from tidings.store.driver import StoreDriver


class TakingIn:
    """A mixin of `StoreSuite`."""

    async def test_an_id_is_taken_in_once_for_each_consumer(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            assert await unit.take_in(CONSUMER, [entry(1), entry(2)]) == {1, 2}
        async with store.unit() as unit:
            again = [entry(2), entry(7, id="1"), entry(8)]
            assert await unit.take_in(CONSUMER, again) == {8}
            assert await unit.take_in("another consumer", again) == {2, 7, 8}

    async def test_an_id_that_stands_twice_in_a_page_is_taken_in_once(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            assert await unit.take_in(CONSUMER, [entry(1), entry(2, id="1"), entry(3)]) == {1, 3}

    async def test_a_page_of_a_thousand_is_taken_in(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            await unit.take_in(CONSUMER, [entry(n) for n in range(1, 1_001, 2)])
            found = await unit.take_in(CONSUMER, [entry(n) for n in range(1, 1_001)])
        assert found == set(range(2, 1_001, 2))

    async def test_other_content_under_an_id_is_a_conflict(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            await unit.take_in(CONSUMER, [entry(1)])
        async with store.unit() as unit:
            with pytest.raises(ConflictError) as refused:
                await unit.take_in(CONSUMER, [entry(2), entry(7, id="1", data=b"2")])
        assert (refused.value.conflict.kind, refused.value.conflict.position) == ("id", 1)

    async def test_a_rewind_lets_entries_in_again(self, store: StoreDriver) -> None:
        await claimed_one(store)
        async with store.unit() as unit:
            await unit.take_in(CONSUMER, [entry(1), entry(2), entry(3)])
        await store.rewind(CONSUMER, to=1)
        async with store.unit() as unit:
            assert await unit.take_in(CONSUMER, [entry(1), entry(2), entry(3)]) == {2, 3}
