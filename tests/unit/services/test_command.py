from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.consumers.clock import HandClock
from tests.unit.services.shop import Confirmed, Shop
from tidings.errors import InvalidDataError, RefusedError
from tidings.ports import NoPoints, Ports


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


async def test_a_repeat_is_told_apart_from_the_start() -> None:
    shop = Shop()
    async with shop.open():
        seen: list[tuple[bool, int]] = []
        for _ in range(2):
            async with shop.app.unit("shop", key="k") as ctx:
                seen.append((ctx.is_repeat, ctx.position))
                await ctx.emit(Confirmed("1"))
        async with shop.app.unit("shop") as ctx:
            seen.append((ctx.is_repeat, ctx.position))
    assert seen == [(False, 0), (True, 1), (False, 0)]


async def test_a_command_that_emits_nothing_is_done_once_too() -> None:
    shop = Shop()
    async with shop.open():
        async with shop.app.unit("shop") as ctx:
            await ctx.sql.execute("CREATE TABLE balance AS SELECT 100 AS cents")
        for _ in range(3):
            async with shop.app.unit("shop", key="pay") as ctx:
                await ctx.sql.execute("UPDATE balance SET cents = cents - 10")
                await ctx.deliver(shop.tell, {"to": "me"})
            assert ctx.position == 0
        async with shop.app.unit("shop") as ctx:
            assert await ctx.sql.fetch("SELECT cents FROM balance") == [(90,)]
        assert len(await shop.opened.store.deliveries()) == 1


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_repeat_that_decides_otherwise_by_now_keeps_nothing_and_ends_where_the_first_did(count: int) -> None:
    shop = Shop()
    async with shop.open():
        async with shop.app.unit("shop", key="k") as ctx:
            await ctx.emit(Confirmed("1"))
            await ctx.emit(Confirmed("2"))
        await shop.place("9")
        async with shop.app.unit("shop", key="k") as ctx:
            await ctx.put(shop.Order("9", 9))
            for n in range(count):
                await ctx.emit(Confirmed(str(n), 7))
        assert ctx.position == 2
        assert await shop.order("9") is None
        assert len(await shop.log()) == 3


async def test_what_a_repeats_block_raises_is_no_error_for_the_command_is_done() -> None:
    shop = Shop()

    async def take() -> int:
        async with shop.app.unit("shop", key="k") as ctx:
            if await ctx.get(shop.Order, order_id="1") is not None:
                raise ValueError("it is taken")
            await ctx.put(shop.Order("1", 5))
            await ctx.emit(Confirmed("1"))
        return ctx.position

    async with shop.open():
        assert [await take(), await take()] == [1, 1]


async def test_a_repeat_that_is_cancelled_ends_so() -> None:
    shop = Shop()
    async with shop.open():
        async with shop.app.unit("shop", key="k"):
            pass
        with pytest.raises(asyncio.CancelledError):
            async with shop.app.unit("shop", key="k"):
                raise asyncio.CancelledError


async def test_a_command_that_failed_was_not_done() -> None:
    shop = Shop()
    async with shop.open():
        with pytest.raises(ValueError, match="no"):
            async with shop.app.unit("shop", key="k") as ctx:
                await ctx.emit(Confirmed("1"))
                raise ValueError("no")
        async with shop.app.unit("shop", key="k") as ctx:
            assert not ctx.is_repeat
            await ctx.emit(Confirmed("2"))
        assert len(await shop.log()) == 1


async def test_commands_of_one_key_that_come_at_once_are_one() -> None:
    shop = Shop()

    async def confirm(n: int) -> int:
        async with shop.app.unit("shop", key="k") as ctx:
            await ctx.emit(Confirmed(str(n)))
        return ctx.position

    async with shop.open():
        assert await asyncio.gather(*(confirm(n) for n in range(8))) == [1] * 8
        assert len(await shop.log()) == 1


@pytest.mark.parametrize("key", ["", "\ud800", "a\x00b", 7, b"k"])
async def test_a_key_that_cannot_be_kept_is_refused(key: Any) -> None:
    shop = Shop()
    async with shop.open():
        with pytest.raises(InvalidDataError, match="must be a text that names the command"):
            async with shop.app.unit("shop", key=key):
                pass


async def test_a_key_and_an_order_have_at_most_2000_bytes() -> None:
    shop, longest = Shop(), "😀" * 500
    async with shop.open():
        async with shop.app.unit("shop", key=longest) as ctx:
            await ctx.deliver(shop.tell, {"to": "me"}, order=longest)
        with pytest.raises(InvalidDataError, match="more than 2,000 bytes of UTF-8"):
            async with shop.app.unit("shop", key=longest + "x"):
                pass
        for order in (longest + "x", "a\x00b", "\ud800"):
            with pytest.raises(InvalidDataError, match=r"order=.* must be a text .* at most 2,000 bytes"):
                async with shop.app.unit("shop") as ctx:
                    await ctx.deliver(shop.tell, {"to": "me"}, order=order)
        assert len(await shop.opened.store.deliveries()) == 1


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


class Held(NoPoints):
    """Holds the writer's thread right before a commit, once it is told to."""

    def __init__(self) -> None:
        self.is_holding = False
        self.reached, self.go_on = threading.Event(), threading.Event()

    def at(self, name: str) -> None:
        if self.is_holding and name == "unit:commit-sent":
            self.reached.set()
            self.go_on.wait()


async def test_what_a_command_emits_that_is_cancelled_while_it_commits_is_told_to_who_waits_for_it() -> None:
    held, shop = Held(), Shop()
    async with shop.open(Ports(points=held)):
        log = shop.opened.log
        waiting = asyncio.create_task(log.wait(after=0, timeout=timedelta(hours=1)))

        async def confirm() -> None:
            async with shop.app.unit("shop") as ctx:
                await ctx.emit(Confirmed("1"))

        held.is_holding = True
        confirming = asyncio.create_task(confirm())
        await asyncio.to_thread(held.reached.wait)
        confirming.cancel()
        await asyncio.sleep(0)
        held.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await confirming
        assert (await log.head()).position == 1
        for _ in range(5):
            await asyncio.sleep(0)
        assert waiting.done()
        waiting.cancel()
