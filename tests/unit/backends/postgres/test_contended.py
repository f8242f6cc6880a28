"""Two units that each hold the row the other one waits for: PostgreSQL ends one, which may begin again at once."""

from __future__ import annotations

import asyncio

from tests.unit.backends.postgres.room import opened
from tidings.conformance.store_samples import made, row, rows_in, table
from tidings.errors import ContendedError


async def test_of_two_units_that_wait_for_each_other_one_is_told_to_repeat_and_then_goes_through(
    postgres_url: str,
) -> None:
    async with opened(postgres_url) as at:
        view = await made(at.store, table())
        async with at.store.unit() as unit:
            await unit.put(view, [row("a", 0), row("b", 0)])
        both = asyncio.Barrier(2)

        async def act(first: str, second: str, *, alone: bool = False) -> None:
            async with at.store.unit() as unit:
                await unit.rows(view, [(first,)])
                if not alone:
                    await both.wait()
                found = (await unit.rows(view, [(second,)]))[second,]
                await unit.replace(view, [row(second, found.values[1] + 1, position=2)])

        orders = [("a", "b"), ("b", "a")]
        ended = await asyncio.gather(*(act(*order) for order in orders), return_exceptions=True)
        [refused] = [order for order, error in zip(orders, ended, strict=True) if error is not None]
        assert [type(error) for error in ended if error is not None] == [ContendedError]
        await act(*refused, alone=True)
        assert [each.values for each in await rows_in(at.store, view)] == [("a", 1), ("b", 1)]
