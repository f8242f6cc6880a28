"""Two tables with hashes beside their rows, on both databases: what is found, by how few queries."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.backends.postgres import scripts as on_postgres
from tidings.backends.sqlite import scripts as on_sqlite
from tidings.errors import DeclarationError
from tidings.fingerprints.rows import limbs
from tidings.reconciliation import tables
from tidings.reconciliation.tables import RowPair, TableSide, differing, lasting
from tidings.store.scripts.fingerprinting import LimbTable, TableKey

WIDTH = "h0 bigint NOT NULL, h1 bigint NOT NULL, h2 bigint NOT NULL, h3 bigint NOT NULL"
Rows = Mapping[Any, int]


@pytest.fixture(autouse=True)
def small_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LEAF", 16)


class Asked:
    """Runs scripts, and counts their queries."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.queries = 0

    async def __call__(self, script: Any) -> Any:
        self.queries += 1  # each of these scripts asks once, unless a level has over 480 ranges
        if isinstance(self.connection, sqlite3.Connection):
            return on_sqlite.run(self.connection, script)
        return await on_postgres.run(self.connection, script)


def on_file(rows: Rows, kind: str = "bigint") -> TableSide:
    connection = sqlite3.connect(":memory:")
    connection.create_collation("reversed", lambda one, other: (one < other) - (one > other))
    connection.execute(f"CREATE TABLE held (k {kind} PRIMARY KEY, {WIDTH})")
    connection.executemany("INSERT INTO held VALUES (?, ?, ?, ?, ?)", [(k, *limbs(h)) for k, h in rows.items()])
    return TableSide(LimbTable(name="held", key="k", is_text="text" in kind), Asked(connection))


async def on_server(url: str, rows: Rows, stack: AsyncExitStack, *, kind: str = "bigint", name: str) -> TableSide:
    connection = await asyncpg.connect(url)
    stack.push_async_callback(connection.close)
    await connection.execute(f"CREATE TABLE {name} (k {kind} PRIMARY KEY, {WIDTH})")
    await connection.copy_records_to_table(name, records=[(k, *limbs(h)) for k, h in rows.items()])
    return TableSide(LimbTable(name=name, key="k", is_text="text" in kind), Asked(connection))


def changed(rows: dict[Any, int], changes: int, chance: random.Random) -> dict[Any, int]:
    other = dict(rows)
    for key in chance.sample(list(rows), min(changes, len(rows))):
        if chance.random() < 0.3:
            del other[key]
        else:
            other[key] = chance.getrandbits(128)
    return other


def true_differences(ours: Rows, theirs: Rows) -> dict[TableKey, RowPair]:
    pairs = {key: RowPair(ours.get(key), theirs.get(key)) for key in ours.keys() | theirs.keys()}
    return {key: pair for key, pair in pairs.items() if pair.ours != pair.theirs}


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([0, 1, 15, 16, 700, 3_000]), st.integers(0, 40), st.integers(0, 2**32))
async def test_the_differences_of_two_tables_are_exactly_the_true_ones(size: int, changes: int, seed: int) -> None:
    chance = random.Random(seed)
    ours = {chance.randrange(-(2**62), 2**62): chance.getrandbits(128) for _ in range(size)}
    theirs = changed(ours, changes, chance) | {chance.randrange(2**62): 1 for _ in range(changes // 4)}
    assert await differing(on_file(ours), on_file(theirs)) == true_differences(ours, theirs)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
async def test_rows_that_crowd_in_one_place_on_one_side_are_found_too(seed: int) -> None:
    chance = random.Random(seed)
    ours = {n * 1_000_000: n for n in range(600)}
    theirs = {5_000_001 + n: chance.getrandbits(128) for n in range(600)}
    assert await differing(on_file(ours), on_file(theirs)) == true_differences(ours, theirs)


async def test_tables_that_are_equal_cost_one_query_each() -> None:
    rows = {n: n * n for n in range(2_000)}
    ours, theirs = on_file(rows), on_file(rows)
    assert await differing(ours, theirs) == {}
    assert (ours.run.queries, theirs.run.queries) == (1, 1)  # type: ignore[attr-defined]


async def test_one_difference_costs_a_query_a_level() -> None:
    rows = {n: n * n for n in range(400)}
    ours, theirs = on_file(rows), on_file(rows | {77: 1})
    assert await differing(ours, theirs) == {77: RowPair(77 * 77, 1)}
    assert theirs.run.queries == 3  # type: ignore[attr-defined] # the whole, its parts, the rows of one part
    assert ours.run.queries == 4  # type: ignore[attr-defined] # and where it is cut


async def test_sides_that_order_their_keys_otherwise_are_told_so_after_some_levels() -> None:
    ours, theirs = {f"{n:04}": n for n in range(800)}, {f"{n:04}": n + 1 for n in range(800)}
    with pytest.raises(DeclarationError, match=r"16 levels.*order their keys differently.*is_text=True"):
        await differing(on_file(ours, "varchar"), on_file(theirs, "varchar COLLATE reversed"))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as open:
        yield open


async def test_a_table_on_each_database_is_compared_as_two_on_one(
    bare_postgres_url: str, stack: AsyncExitStack
) -> None:
    chance = random.Random(5)
    ours = {chance.randrange(2**60): chance.getrandbits(128) for _ in range(3_000)}
    theirs = changed(ours, 20, chance)
    there = await on_server(bare_postgres_url, theirs, stack, name="theirs")
    here = await on_server(bare_postgres_url, ours, stack, name="ours")
    assert await differing(on_file(ours), there) == true_differences(ours, theirs)
    assert await differing(here, there) == true_differences(ours, theirs)


async def test_keys_are_compared_as_bytes_by_both_databases(bare_postgres_url: str, stack: AsyncExitStack) -> None:
    """Though the column's own collation puts `a` before `B`."""
    chance = random.Random(9)
    ours = {"".join(chance.choices("aBcXz_é\U0001f600", k=6)): n for n in range(800)}
    theirs = changed(ours, 30, chance)
    there = await on_server(bare_postgres_url, theirs, stack, kind="text", name="theirs")
    assert await differing(on_file(ours, "text COLLATE NOCASE"), there) == true_differences(ours, theirs)


async def test_a_difference_counts_only_if_it_is_still_there_after_a_while() -> None:
    looks = [{1: RowPair(1, 2), 2: RowPair(1, None), 3: RowPair(5, 6)}, {1: RowPair(1, 2), 3: RowPair(6, 7)}]
    slept: list[float] = []

    class Waits:
        async def sleep(self, seconds: float) -> None:
            slept.append(seconds)

    async def look() -> dict[TableKey, RowPair]:
        return looks.pop(0)

    assert await lasting(look, Waits()) == {1: RowPair(1, 2)}
    assert slept == [tables.GRACE_SECONDS]


@pytest.mark.parametrize("name", ["t; DROP TABLE t", "", 't"', "tä"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match="no name of a table"):
        LimbTable(name=name, key="k")
