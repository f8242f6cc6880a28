"""What costs must stay small is found by an index, with the statistics of a new database and of a full one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.backends.sqlite.store_of import Opened, opened
from tidings.backends.sqlite import deliveries, leases, parked
from tidings.conformance.store_samples import table
from tidings.store.driver import Claim

FILL = [
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
    "INSERT INTO tidings_delivery (key, service, function, payload, ordering, state, next_at) "
    "SELECT i, 'shop', 'f', x'', i % 50, CASE WHEN i % 9 THEN 'done' ELSE 'pending' END, i FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
    "INSERT INTO tidings_parked SELECT 'c' || i % 5, i, 0, CASE WHEN i % 9 THEN 'dead' ELSE 'retrying' END, "
    "1, i, 'why', 'error', i FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
    "INSERT INTO tidings_checkpoint (consumer, part) SELECT 'c' || i, i % 16 FROM n",
]


@pytest.fixture(params=["fresh", "full", "analysed"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    async with opened() as each:
        if request.param != "fresh":
            for statement in FILL:
                await each.rows(statement)
        if request.param == "analysed":
            await each.rows("ANALYZE")
        yield each


async def test_due_retries_are_found_by_their_partial_index(store: Opened) -> None:
    plan = await store.plan(parked.DUE, "c1", 0, 5)
    assert "SEARCH p USING INDEX tidings_parked_due (consumer=? AND part=? AND next_at<?)" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


async def test_due_deliveries_are_found_by_their_partial_index_in_order(store: Opened) -> None:
    plan = await store.plan(deliveries.DUE, "shop", 5, 100)
    assert "SEARCH d USING INDEX tidings_delivery_due (service=? AND next_at<?)" in plan
    assert "USING INDEX tidings_delivery_order (service=? AND ordering=? AND n<?)" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


async def test_owners_of_deliveries_are_found_by_their_partial_index(store: Opened) -> None:
    plan = await store.plan(deliveries.OWNERS)
    assert "tidings_delivery_owner" in plan


async def test_fences_are_found_by_their_key_whatever_their_number(store: Opened) -> None:
    for count in (1, 2, 16):
        claims = [
            Claim(consumer="c", part=n, partitions=16, position=0, epoch=1, gate=0, expired=False) for n in range(count)
        ]
        async with store.steps() as steps:
            await store.store.renew(claims, ttl=_A_SECOND)
            await store.store.release(claims)
        moved = f"{leases._ours(claims)} {leases.ADVANCE}"
        held = [*leases._fences(claims), 5]
        plans = [await store.plan(step) for step in steps if "tidings_checkpoint" in step]
        plans.append(await store.plan(moved, *held))
        assert len(plans) == 3
        for plan in plans:
            assert "SEARCH c USING PRIMARY KEY (consumer=? AND part=?)" in plan


async def test_rows_are_found_and_paged_by_their_key(store: Opened) -> None:
    view = table(*table().columns, key=("key",))
    await store.store.create_view(_live(view))
    async with store.store.unit() as unit, store.steps() as steps:
        await unit.rows(view, [(f"{n}",) for n in range(40)])
    await _read(store, view, steps)
    plans = [await store.plan(step) for step in steps if "suite_sample__v1" in step]
    assert len(plans) == 3
    for plan in plans:
        assert "SEARCH suite_sample__v1 USING PRIMARY KEY (key" in plan
        assert "TEMP B-TREE" not in plan
