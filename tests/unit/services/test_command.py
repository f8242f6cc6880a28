from __future__ import annotations

import pytest

from tests.unit.consumers.clock import HandClock
from tests.unit.services.shop import Confirmed, Shop
from tidings import ConflictError
from tidings.errors import RefusedError
from tidings.ports import Ports


async def test_what_a_command_writes_and_emits_is_kept_together() -> None:
    shop = Shop()
    async with shop.open():
        async with shop.app.unit("shop") as ctx:
            await ctx.put(shop.Order("1", 5))
            id = await ctx.emit(Confirmed("1"))
            await ctx.deliver(shop.tell, {"to": "me"})
        assert await shop.order() == shop.Order("1", 5)
        assert await shop.log() == [("confirmed", id)]
        assert ctx.position == 1
        assert len(await shop.opened.store.deliveries()) == 1


async def test_a_command_that_fails_keeps_nothing() -> None:
    shop = Shop()
    async with shop.open():
        with pytest.raises(ValueError, match="no"):
            async with shop.app.unit("shop") as ctx:
                await ctx.put(shop.Order("1", 5))
                await ctx.emit(Confirmed("1"))
                await ctx.deliver(shop.tell, {"to": "me"})
                raise ValueError("no")
        assert await shop.order() is None
        assert await shop.log() == []
        assert await shop.opened.store.deliveries() == []


async def test_a_repeat_under_the_same_key_changes_nothing_and_ends_where_the_first_did() -> None:
    shop = Shop()
    async with shop.open():
        positions = []
        for cents in (5, 9):
            async with shop.app.unit("shop", key="request 1") as ctx:
                await ctx.put(shop.Order("1", cents))
                await ctx.emit(Confirmed("1"))
            positions.append(ctx.position)
        assert positions == [1, 1]
        assert await shop.order() == shop.Order("1", 5)
        assert len(await shop.log()) == 1


async def test_another_event_under_the_same_key_is_refused() -> None:
    shop = Shop()
    async with shop.open():
        async with shop.app.unit("shop", key="request 1") as ctx:
            await ctx.emit(Confirmed("1", 5))
        with pytest.raises(ConflictError):
            async with shop.app.unit("shop", key="request 1") as ctx:
                await ctx.emit(Confirmed("1", 6))
        assert len(await shop.log()) == 1


async def test_commands_without_a_key_are_each_their_own() -> None:
    shop = Shop()
    async with shop.open():
        for _ in range(2):
            async with shop.app.unit("shop") as ctx:
                await ctx.emit(Confirmed("1"))
        assert len(await shop.log()) == 2


async def test_a_command_reacts_to_no_event() -> None:
    shop = Shop()
    async with shop.open(), shop.app.unit("shop") as ctx:
        with pytest.raises(RefusedError, match="no envelope"):
            _ = ctx.envelope
        assert ctx.position == 0


async def test_a_later_command_wins_over_what_it_has_read_whatever_the_clocks_say() -> None:
    shop = Shop()
    async with shop.open(Ports(clock=HandClock())):
        for cents in (1, 2, 3):
            async with shop.app.unit("shop") as ctx:
                await ctx.put(shop.Order("1", cents))
        assert await shop.order() == shop.Order("1", 3)


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_key_that_is_used_again_for_more_or_fewer_events_is_refused(count: int) -> None:
    shop = Shop()
    async with shop.open():
        async with shop.app.unit("shop", key="k") as ctx:
            await ctx.emit(Confirmed("1"))
            await ctx.emit(Confirmed("2"))
        with pytest.raises(ConflictError, match=r"emitted (more|fewer) events before"):
            async with shop.app.unit("shop", key="k") as ctx:
                await ctx.put(shop.Order("9", 9))
                for n in range(count):
                    await ctx.emit(Confirmed(str(n + 1)))
        assert await shop.order("9") is None
        assert len(await shop.log()) == 2
