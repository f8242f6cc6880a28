"""Whatever is done for an endpoint looks at the rows it needs, however many there are: each statement has its index."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.backends.endpoint_deeds import MONTH, everything
from tests.unit.backends.postgres.room import Opened, opened
from tidings.conformance.endpoint_samples import deliver, endpoint, keep, positions, sent, take
from tidings.store.endpoint_deliveries import COUNTED
from tidings.store.scripts.standing import BACKLOGS

FILL = (
    "INSERT INTO tidings.delivery (key, endpoint, position, run, subject, type, state, next_at, attempts, intended, "
    "closed, held) SELECT substr('nkf', n % 3 + 1, 1) || ':' || n || ':old', "
    "substr('nkf', n % 3 + 1, 1), n, 'old', (n % 100)::text, 'said', s.state, n, n % 5, "
    "0, CASE WHEN s.state IN ('delivered', 'dead') THEN n END, CASE WHEN s.state = 'held' THEN n END "
    "FROM generate_series(1, 150000) n JOIN (VALUES (0, 'due'), (1, 'behind'), (2, 'held'), (3, 'dead'), "
    "(4, 'delivered')) s(m, state) ON s.m = CASE WHEN n > 60000 THEN 4 ELSE (n / 3) % 5 END"
)


@pytest.fixture
async def empty(postgres_url: str) -> AsyncIterator[Opened]:
    async with opened(postgres_url) as room:
        yield room


@pytest.fixture(params=["fresh", "missing"])
async def full(empty: Opened, request: pytest.FixtureRequest) -> Opened:
    """With fresh statistics, and with none."""
    await keep(empty.store, endpoint("n", slots=9), endpoint("k", ordering="key"), endpoint("f", ordering="fifo"))
    await empty.rows(FILL)
    if request.param == "fresh":
        await empty.rows("ANALYZE")
    return empty


async def test_no_statement_for_endpoints_looks_at_every_delivery(full: Opened) -> None:
    said: dict[str, tuple[Any, ...]] = {}

    def note(query: Any) -> None:
        said[query.query] = query.args

    async with full.database.connection() as connection:  # the one that is given back last is lent first
        connection.add_query_logger(note)
    await everything(full.store)
    asked = [(query, held) for query, held in said.items() if "tidings.delivery" in query and "SELECT" in query]
    assert len(asked) > 20
    scans = []
    for query, held in asked:
        plan = "\n".join(line for (line,) in await full.rows(f"EXPLAIN (COSTS OFF) {query}", *held))
        if "Seq Scan on delivery" in plan:
            scans.append((query, plan))
    assert scans == []


async def test_a_backlog_is_counted_from_partial_indexes_alone(full: Opened) -> None:
    await full.rows("ANALYZE")
    plan = "\n".join(line for (line,) in await full.rows(f"EXPLAIN (COSTS OFF) {BACKLOGS}", "f", "n", COUNTED))
    for index in ("waiting", "holding", "dead", "open", "first", "late"):  # leases are few, whichever finds them
        assert f" delivery_{index}\n" in plan or f" delivery_{index} on delivery" in plan, plan
    assert "Seq Scan on delivery" not in plan
    assert "Sort" not in plan


async def test_what_is_behind_nothing_is_promoted(empty: Opened) -> None:
    store = empty.store
    await keep(store, endpoint(ordering="key"))
    await deliver(store, *(sent(n, subject="a") for n in (1, 2, 3)))
    await empty.rows("UPDATE tidings.delivery SET state = 'delivered', closed = 1 WHERE position = 1")
    assert await take(store) == []
    swept = await store.sweep_endpoint_deliveries(stale=MONTH)
    assert (swept.promoted, swept.last) == (1, 0)
    assert positions(await take(store)) == [2]
    assert (await store.sweep_endpoint_deliveries(stale=MONTH)).promoted == 0
