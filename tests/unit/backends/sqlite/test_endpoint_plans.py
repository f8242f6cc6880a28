"""Whatever is done for an endpoint looks at the rows it needs, however many there are: each statement has its index."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.backends.endpoint_deeds import MONTH, everything
from tests.unit.backends.sqlite.store_of import Opened, opened
from tidings.conformance.endpoint_samples import deliver, endpoint, keep, positions, sent, states, take

FILL = (
    "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 30000), "
    "s(m, state) AS (VALUES (0, 'due'), (1, 'behind'), (2, 'held'), (3, 'dead'), (4, 'delivered')) "
    "INSERT INTO tidings_delivery (key, endpoint, position, run, subject, type, state, next_at, attempts, intended, "
    "closed, held) SELECT substr('nkf', n % 3 + 1, 1) || ':' || n || ':old', "
    "substr('nkf', n % 3 + 1, 1), n, 'old', n % 100, 'said', s.state, n, n % 5, 0, "
    "CASE WHEN s.state IN ('delivered', 'dead') THEN n END, CASE WHEN s.state = 'held' THEN n END "
    "FROM i JOIN s ON s.m = (n / 3) % 5"
)


@pytest.fixture
async def empty() -> AsyncIterator[Opened]:
    async with opened() as each:
        yield each


@pytest.fixture(params=["full", "analysed"])
async def full(empty: Opened, request: pytest.FixtureRequest) -> Opened:
    await keep(empty.store, endpoint("n", slots=9), endpoint("k", ordering="key"), endpoint("f", ordering="fifo"))
    await empty.rows(FILL)
    if request.param == "analysed":
        await empty.rows("ANALYZE")
    return empty


async def test_no_statement_for_endpoints_looks_at_every_delivery(full: Opened) -> None:
    async with full.steps() as steps:
        await everything(full.store)
    asked = {step for step in steps if "tidings_delivery" in step and step.split()[0] in ("SELECT", "UPDATE")}
    assert len(asked) > 30
    plans = {step: await full.plan(step) for step in asked}
    # Between BEGIN and COMMIT it may go through endpoints, which are few, and through indexes of what is open.
    scans = [(step, plan) for step, plan in plans.items() if goes_through_all(plan)]
    assert scans == []


def goes_through_all(plan: str) -> bool:
    scanned = [line.split()[1:] for line in plan.splitlines() if line.startswith("SCAN")]
    whole = any(words[0] in ("tidings_delivery", "d") and "INDEX" not in words for words in scanned)
    return whole or "PRIMARY KEY (rowid>?)" in plan or "PRIMARY KEY (rowid<?)" in plan


async def test_a_backlog_is_counted_from_partial_indexes_alone(full: Opened) -> None:
    async with full.steps() as steps:
        await full.store.backlogs("f", "n")
    [asked] = [step for step in steps if "tidings_delivery" in step]
    plan = await full.plan(asked)
    for index in ("waiting", "leased", "holding", "dead", "open", "first", "late"):
        assert f"INDEX tidings_delivery_{index} (endpoint>? AND endpoint<?)" in plan, plan
    assert "TEMP B-TREE" not in plan
    assert "SCAN tidings_delivery" not in plan


async def test_what_is_behind_nothing_is_promoted(empty: Opened) -> None:
    store = empty.store
    await keep(store, endpoint(ordering="key"))
    await deliver(store, *(sent(n, subject="a") for n in (1, 2, 3)))
    await empty.rows("UPDATE tidings_delivery SET state = 'delivered', closed = 1 WHERE position = 1")
    assert await take(store) == []
    swept = await store.sweep_endpoint_deliveries(stale=MONTH)
    assert (swept.promoted, swept.last) == (1, 0)
    assert positions(await take(store)) == [2]
    assert (await store.sweep_endpoint_deliveries(stale=MONTH)).promoted == 0
    assert await states(store) == {1: "delivered", 2: "leased", 3: "behind"}
