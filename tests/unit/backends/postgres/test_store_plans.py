"""What the store's queries look at when much is kept, and how many statements a page takes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.unit.backends.postgres.room import Opened, opened
from tidings.backends.postgres import attempts, deliveries, leases, parked
from tidings.backends.postgres.table import Table
from tidings.conformance.samples import event
from tidings.conformance.store_samples import claimed, made, row, table
from tidings.store.claims import Claim

FILL = (
    "INSERT INTO tidings.delivery (key, service, function, payload, state, next_at, intended, closed, ordering) "
    "SELECT n::text, 'shop', 'f', '', CASE WHEN n % 1000 = 0 THEN 'due' ELSE 'delivered' END, n, n, n, "
    "CASE WHEN n % 2 = 0 THEN (n % 7)::text END FROM generate_series(1, 50000) n",
    "INSERT INTO tidings.attempt (delivery, epoch, number, began) SELECT n, 1, 1, n FROM generate_series(1, 50000) n",
    "INSERT INTO tidings.parked (consumer, subject, part, state, attempts, next_at, reason, error, parked_at) "
    "SELECT 'suite', n::text::bytea, n % 16, CASE WHEN n % 100 = 0 THEN 'retrying' ELSE 'dead' END, 1, n, 'x', '', n "
    "FROM generate_series(1, 50000) n",
    "INSERT INTO tidings.dead_letter SELECT 'suite', n::text::bytea, n, 0, '', '', '', 1, NULL, '' "
    "FROM generate_series(1, 50000) n",
    "INSERT INTO tidings.checkpoint (consumer, part, pos) SELECT 'c' || n, m, 0 FROM generate_series(1, 2000) n, "
    "generate_series(0, 15) m",
    "INSERT INTO suite.sample__v1 SELECT n::text, n, n, 0, 0, n, n FROM generate_series(1, 50000) n",
)


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Opened]:
    async with opened(postgres_url) as room:
        await made(room.store, table())
        yield room


@pytest.fixture(params=["fresh", "missing"])
async def full(at: Opened, request: pytest.FixtureRequest) -> Opened:
    """With fresh statistics, and with none."""
    async with at.database.connection() as connection:
        for statement in FILL:
            await connection.execute(statement)
        if request.param == "fresh":
            await connection.execute("ANALYZE")
    return at


async def plan(at: Opened, query: str, *held: Any) -> str:
    return "\n".join(line for (line,) in await at.rows(f"EXPLAIN (COSTS OFF) {query}", *held))


def held_by(claims: Sequence[Claim]) -> tuple[list[Any], ...]:
    return leases._fences(claims)


@pytest.mark.parametrize(
    ("query", "held", "index"),
    [
        (deliveries.CLAIM, (["shop"], 60_000, 10, "me", 1), "delivery_(due|next)"),
        (attempts.OF, ("500",), "attempt_of"),
        (deliveries.OLD, (900, 100), "delivery_closed"),
        (parked.DUE, (["suite", "suite"], [1, 4], 60_000), "parked_(due|next)"),
        (leases.CLAIM, ("c7", 1, [], 4, "me", 1), "checkpoint_pkey"),
    ],
)
async def test_each_query_finds_its_rows_by_an_index(
    full: Opened, query: str, held: tuple[Any, ...], index: str
) -> None:
    found = await plan(full, query, *held)
    assert re.search(index, found)
    assert "Seq Scan" not in found


async def test_a_page_of_rows_is_found_by_their_keys(full: Opened) -> None:
    found = await plan(full, Table(table())._find, [str(n) for n in range(100)])
    assert "sample__v1_pkey" in found
    assert "Seq Scan" not in found


async def test_rows_are_found_by_their_keys_also_in_a_table_that_was_tiny_when_they_were_first_asked_for(
    at: Opened,
) -> None:
    keys = [(f"k{n}",) for n in range(100)]
    async with at.database.connection() as connection:
        await connection.execute("INSERT INTO suite.sample__v1 VALUES ('k1', 1, 1, 0, 0, 1, 1)")
        await connection.execute("ANALYZE suite.sample__v1")
    for _ in range(6):  # the server keeps a plan then, if it may
        async with at.store.unit() as unit:
            await unit.rows(table(), keys)
    async with at.database.connection() as connection:
        await connection.execute(FILL[-1])
    seen = "SELECT idx_scan, seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'sample__v1'"
    async with at.store.unit() as unit:
        [(found_before, passed_before)] = await unit.sql.fetch(seen)
        await unit.rows(table(), keys)
        [(found, passed)] = await unit.sql.fetch(seen)
    assert found - found_before >= 100
    assert passed == passed_before


async def test_checkpoints_are_moved_by_their_keys(full: Opened) -> None:
    claims = await claimed(full.store, partitions=16)
    found = await plan(full, leases.ADVANCE, *held_by(claims), 7)
    assert "checkpoint_pkey" in found
    assert "Seq Scan" not in found


async def test_a_page_without_failure_takes_as_many_statements_whatever_its_size(at: Opened) -> None:
    view = table()
    claims = await claimed(at.store, view.consumer, partitions=16)
    said: list[str] = []
    async with at.database.connection() as connection:  # the one that is given back last is lent first
        connection.add_query_logger(lambda query: said.append(query.query.split()[0]))
    found = []
    for n, size in enumerate((1, 1, 10, 1_000)):
        keys = [(f"{n}-{key}",) for key in range(size)]
        said.clear()
        async with at.store.unit(*[claim.at(n) for claim in claims]) as unit:
            await unit.rows(view, keys)
            await unit.replace(view, [row(*key, 1) for key in keys])
            unit.emit([event(f"{n}-{key}") for key in range(size)])
            unit.advance(to=n + 1)
        found.append([word for word in said if word != "COMMIT;"])  # which is told a turn later
    # BEGIN; rows, with their own plan if these are many; their replacement; the checkpoints; the append, and whether
    # inline views follow from it; and COMMIT
    assert found[1] == ["BEGIN", "SELECT", "INSERT", "UPDATE", "SELECT", "SELECT"]
    # of many new rows, which are copied, no statement is told
    assert found[2] == ["BEGIN", "SET", "SELECT", "INSERT", "UPDATE", "SELECT", "SELECT"]
    assert found[3] == ["BEGIN", "SET", "SELECT", "UPDATE", "SELECT", "SELECT"]
