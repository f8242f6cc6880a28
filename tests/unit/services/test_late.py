"""What is asked of a context once its handler or its block is left, by a task that was begun inside or by anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.unit.consumers.room import until_idle
from tests.unit.services.shop import IN_MEMORY, Confirmed, Placed, Shop
from tidings import App, Context, Service
from tidings.errors import RefusedError

Ask = Callable[[Shop, Context], Awaitable[Any]]

ASKING: dict[str, Ask] = {
    "get": lambda shop, ctx: ctx.get(shop.Order, order_id="1"),
    "put": lambda shop, ctx: ctx.put(shop.Order("1", 1)),
    "delete": lambda shop, ctx: ctx.delete(shop.Order, order_id="1"),
    "emit": lambda shop, ctx: ctx.emit(Confirmed("late")),
    "deliver": lambda shop, ctx: ctx.deliver(shop.tell, {"to": "me"}),
    "execute": lambda shop, ctx: ctx.sql.execute("CREATE TABLE late (a)"),
    "fetch": lambda shop, ctx: ctx.sql.fetch("SELECT 1"),
}


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING.keys())
async def test_after_a_command_nothing_is_read_or_written(ask: Ask) -> None:
    shop = Shop()
    async with shop.open():
        async with shop.app.unit("shop") as ctx:
            sql = ctx.sql
        with pytest.raises(RefusedError, match="has ended"):
            await ask(shop, ctx)
        with pytest.raises(RefusedError, match="has ended"):
            await sql.fetch("SELECT 1")
        assert await shop.log() == []
        assert await shop.opened.store.deliveries() == []


async def test_after_a_command_its_context_still_tells_what_it_told() -> None:
    shop = Shop()
    async with shop.open():
        async with shop.app.unit("shop", key="k") as ctx:
            before = ctx.uuid(), ctx.time, ctx.is_repeat
            drawn = ctx.random.random()
        assert (ctx.uuid(), ctx.time, ctx.is_repeat) == before
        assert ctx.random.random() != drawn


async def test_a_handler_is_not_told_whether_it_runs_again() -> None:
    shop = Shop()

    async def act(event: Any, ctx: Context) -> None:
        _ = ctx.is_repeat

    shop.act = act
    async with shop.open():
        await shop.place()
        await shop.carry()
        [error] = await shop.parked()
    assert "have it do the same each time" in error


class Line:
    order_id: str
    cents: int


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING.keys())
async def test_a_task_that_outlives_its_handler_does_nothing_in_the_next_ones_transaction(ask: Ask) -> None:
    shop, service = Shop(), Service("two", emits=[Confirmed])
    shop.Order = service.view(key=("order_id",))(
        type("Order", (), {"__annotations__": {"order_id": str, "cents": int}})
    )
    shop.tell = service.delivery(_tell)
    strays: list[asyncio.Task[Any]] = []
    second_runs = asyncio.Event()

    async def stray(ctx: Context) -> None:
        await second_runs.wait()
        await ask(shop, ctx)

    @service.on(Placed)
    async def first(happened: Placed, ctx: Context) -> None:
        strays.append(asyncio.create_task(stray(ctx)))

    @service.on(Placed)
    async def second(happened: Placed, ctx: Context) -> None:
        second_runs.set()
        await asyncio.wait(strays)

    app = App(service)
    async with app.open(IN_MEMORY, consume=False) as opened:
        await app.publish(Placed("1"), source="/web")
        await until_idle((await opened.carrying.consumers())["two"])
        assert [type(task.exception()) for task in strays] == [RefusedError]
        assert (await opened.log.head()).position == 1
        assert await opened.store.deliveries() == []
        assert await opened.store.parked() == []


async def _tell(payload: dict[str, str], delivery: Any) -> None: ...


async def test_tasks_that_a_handler_waits_for_do_their_part_of_it() -> None:
    shop = Shop()

    async def act(event: Any, ctx: Context) -> None:
        await asyncio.gather(*(ctx.emit(Confirmed(str(n))) for n in range(3)), ctx.put(shop.Order("1", 5)))

    shop.act = act
    async with shop.open():
        await shop.place()
        await shop.carry()
        assert len(await shop.log()) == 1 + 3
        assert await shop.order() == shop.Order("1", 5)


async def test_an_id_that_emit_has_answered_is_in_the_log_whenever_its_task_comes_to_it() -> None:
    shop = Shop()
    answered: list[str] = []

    async def emit_later(ctx: Context, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        answered.append(await ctx.emit(Confirmed("1", turns)))

    tasks: list[asyncio.Task[None]] = []

    async def act(event: Any, ctx: Context) -> None:
        tasks.append(asyncio.create_task(emit_later(ctx, event.cents)))
        await ctx.get(shop.Order, order_id="1")

    shop.act = act
    async with shop.open():
        for turns in range(40):
            await shop.place(id=f"e{turns}", cents=turns)
            await shop.carry()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        kept = [id for type, id in await shop.log() if type == "confirmed"]
    assert sorted(answered) == sorted(kept)
    assert all(isinstance(error, RefusedError) for error in ended if error is not None)
