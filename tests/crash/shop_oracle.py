"""What must hold of the shop after kills: of its log, its views, its own table, and the world outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

from tests.crash import shop
from tests.crash.oracle import back_end
from tests.crash.telling import noted
from tidings.app.opened import Opened
from tidings.conformance.samples import everything
from tidings.views.verify import Verifier


async def check_midway(folder: Path, told: Iterable[str]) -> None:
    """Whatever has been done up to now was done whole, and once."""
    async with back_end(folder) as opened:
        entries = [entry.envelope for entry in await everything(opened.log)]
        ids = [(each.source, each.id) for each in entries]
        assert len(ids) == len(set(ids))
        assert {id for id in told if id not in ("open", "settled")} <= {id for _, id in ids}
        async with opened.store.unit() as unit:
            booked = Counter(sale for (sale,) in await unit.sql.fetch("SELECT sale FROM booked"))
        emitted = Counter(each.causation_id for each in entries if each.type == "sale-booked")
        intended = await opened.store.deliveries(limit=1_000_000)
    assert set(booked.values()) <= {1}
    assert booked == emitted, "a handler's writes and the events it emits are kept together"
    assert len({each["key"] for each in intended}) == len(intended) == len(booked)


async def check_end(folder: Path, told: Iterable[str], *, version: int = 1) -> None:
    """All that was published had all its effects, each once."""
    await check_midway(folder, told)
    await check_effects(folder, shop.sales(), version=version)
    app = shop.make(folder, version=version)
    async with app.open(shop.settings(folder), consume=False), app.unit("till") as ctx:
        checked = await ctx.sql.fetch("SELECT item FROM checked")
    assert sorted(checked) == [(f"flaky-{n}",) for n in range(shop.FLAKY)]


async def check_effects(folder: Path, sales: Mapping[str, shop.Sold], *, version: int = 1) -> int:
    """Every sale had all its effects, and nothing else had any; return the number of rows that were compared."""
    app = shop.make(folder, version=version)
    async with app.open(shop.settings(folder), consume=False) as opened:
        entries = [entry.envelope for entry in await everything(opened.log)]
        assert {each.id for each in entries if each.type == "item-sold"} == set(sales)
        assert {each.causation_id for each in entries if each.type == "sale-booked"} == set(sales)
        assert await opened.store.parked() == []
        rows = await check_views(opened, sales.values())
    check_calls(folder, set(sales))
    return rows


async def check_views(opened: Opened, sold: Iterable[shop.Sold]) -> int:
    """Every table is what a refold of the log is, and what the sales themselves add up to."""
    records = {each.table.view: each for each in await opened.store.views() if each.state == "current"}
    rows = 0
    for view in opened.views:
        found = await Verifier(view, records[view.name], opened.store, opened.log).run()
        assert found.is_right, found.first
        assert (found.parked, found.unreadable) == (0, 0)
        rows += found.rows
    cents: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for each in sold:
        cents[each.item] += each.cents
        count[each.item] += 1
    turnover = await opened.store.every(records["turnover"].table, after=None, limit=10_000)
    assert {row.values for row in turnover} == {(item, cents[item], count[item]) for item in count}
    return rows


def check_calls(folder: Path, sales: Set[str]) -> None:
    """Each sale was delivered at least once, and always with the same key."""
    calls = {tuple(line.split()) for line in noted(folder / shop.CALLS)}
    assert {sale for _, sale in calls} == sales
    assert len(calls) == len({key for key, _ in calls}) == len(sales)
