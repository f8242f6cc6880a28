"""What costs must stay small is found by an index, with the statistics of a new database and of a full one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.backends.sqlite.store_of import Opened, opened
from tidings.backends.sqlite import attempts, deliveries, parked
from tidings.conformance.store_samples import TTL, record, refused, table
from tidings.errors import CheckpointMovedError
from tidings.store.claims import Claim

FILL = [
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
    "INSERT INTO tidings_delivery (key, service, function, payload, ordering, state, next_at, intended, closed) "
    "SELECT i, 'shop', 'f', x'', i % 50, CASE WHEN i % 9 THEN 'delivered' ELSE 'due' END, i, i, i FROM n",
    "INSERT INTO tidings_attempt (delivery, epoch, number, began) SELECT n, 1, 1, n FROM tidings_delivery",
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
    async with store.steps() as steps:
        await store.store.claim_deliveries(owner="o", services=("shop",), limit=10, ttl=TTL)
    [owners] = [step for step in steps if step.startswith("SELECT owner")]
    assert "USING INDEX tidings_delivery_owner" in await store.plan(owners)


async def test_fences_are_found_by_their_key_whatever_their_number(store: Opened) -> None:
    for count in (1, 2, 16):
        claims = [
            Claim(consumer="c", part=n, partitions=16, position=0, epoch=1, gate=0, expired=False) for n in range(count)
        ]
        async with store.steps() as steps:
            await store.store.renew(claims, ttl=TTL)
            await store.store.release(claims)
            async with refused(CheckpointMovedError, store.store.unit(*claims)):
                pass
            async with refused(CheckpointMovedError, store.store.unit(*claims)) as unit:
                unit.advance(to=5)
        plans = [await store.plan(step) for step in steps if "tidings_checkpoint" in step]
        assert len(plans) == 4
        for plan in plans:
            assert "SEARCH c USING PRIMARY KEY (consumer=? AND part=?)" in plan
            assert "SCAN c" not in plan


async def test_rows_are_found_and_paged_by_their_key(store: Opened) -> None:
    view = table()
    await store.store.create_view(record(view))
    async with store.steps() as steps:
        async with store.store.unit() as unit:
            await unit.rows(view, [(f"{n}",) for n in range(40)])
        await store.store.every(view, after=("5",), limit=10)
        await store.store.select(view, equal={"key": "7"}, after=None, limit=10)
        await store.store.select(view, equal={}, after=("5",), limit=10)
    plans = [await store.plan(step) for step in steps if "suite_sample__v1" in step]
    assert len(plans) == 4
    for plan in plans:
        assert "SEARCH suite_sample__v1 USING PRIMARY KEY (key" in plan
        assert "TEMP B-TREE" not in plan


async def test_members_are_found_by_their_key(store: Opened) -> None:
    view = table(spans=True)
    await store.store.create_view(record(view))
    async with store.steps() as steps, store.store.unit() as unit:
        await unit.join(view, [((f"{n}",), n) for n in range(1, 40)])
        await unit.members(view, [(f"{n}",) for n in range(40)])
    plans = [await store.plan(step) for step in steps if "SELECT" in step and "__members" in step]
    assert len(plans) == 2
    for plan in plans:
        assert "SEARCH suite_sample__v1__members USING PRIMARY KEY (key=?" in plan


async def test_old_attempts_are_found_by_their_age(store: Opened) -> None:
    plan = await store.plan(attempts.OLD, 5, 5, 100)
    assert "SEARCH a USING INDEX tidings_attempt_age (began<?)" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


async def test_old_deliveries_are_found_by_when_they_closed(store: Opened) -> None:
    plan = await store.plan(deliveries.OLD, 5, 100)
    assert "SEARCH d USING INDEX tidings_delivery_closed (closed<?)" in plan
    assert "SEARCH a USING COVERING INDEX tidings_attempt_of (delivery=?)" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


async def test_attempts_of_a_delivery_are_found_by_it_in_order(store: Opened) -> None:
    plan = await store.plan(attempts.OF, "7")
    assert "USING INDEX tidings_attempt_of (delivery=?)" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan
