"""What a flush and a read cost, counted in statements and looked up in plans: never by a clock."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.backends.sqlite.store_of import Opened, opened
from tidings.backends.sqlite.seen_run import SIZES
from tidings.backends.sqlite.seen_upkeep import Upkeep
from tidings.conformance.samples import event, keep
from tidings.errors import PositionExpiredError
from tidings.events.filter import Filter
from tidings.log.driver import History, LogDriver, Write
from tidings.ports import NoPoints

ENTRIES = 40_000
BY_SUBJECT = "SEARCH tidings_log_subject USING PRIMARY KEY (bucket=? AND skey=?"


def filling(first: int, count: int) -> list[Write]:
    said = [event(str(n), type=f"type{n % 9}", subject=f"subject{n % 2_500}") for n in range(first, first + count)]
    return [Write(envelopes=tuple(said))]


@pytest.fixture(params=["no statistics", "analysed"])
async def full(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    async with opened() as each:
        for first in range(0, ENTRIES, 10_000):
            await each.log.append(filling(first, 10_000))
        if request.param == "analysed":
            await each.rows("ANALYZE")
        yield each


@pytest.fixture
async def fresh() -> AsyncIterator[Opened]:
    async with opened() as each:
        yield each


def random_ids(count: int, first: int = 0) -> list[Write]:
    return [Write(envelopes=(event(f"id-{n}"),)) for n in range(first, first + count)]


async def statements(each: Opened, writes: list[Write]) -> list[str]:
    async with each.steps() as steps:
        await each.log.append(writes)
    return steps


async def test_a_flush_takes_few_statements_whatever_its_size(fresh: Opened) -> None:
    await fresh.log.append(random_ids(1))
    single = await statements(fresh, random_ids(1, 10))
    assert [step.split()[0] for step in single] == [
        "BEGIN",
        "SELECT",
        "SELECT",
        "INSERT",
        "UPDATE",
        "INSERT",
        "INSERT",
        "COMMIT",
    ]
    thousand = await statements(fresh, random_ids(1_000, 100))
    assert [step.split()[0] for step in thousand] == [
        "BEGIN",
        "SELECT",  # the head
        "SELECT",  # hot keys of other processes
        "INSERT",  # the keys: one value
        "UPDATE",
        "INSERT",  # the blocks
        "INSERT",  # the blocks that the one subject stands in
        "COMMIT",
    ]


async def test_a_flush_of_repeats_looks_them_up_by_set(fresh: Opened) -> None:
    await fresh.log.append(random_ids(500))
    steps = await statements(fresh, random_ids(500))
    assert not any(step.startswith(("UPDATE", "INSERT INTO tidings_log")) for step in steps)
    assert len(steps) < 10


async def plans(each: Opened, steps: list[str]) -> list[str]:
    """Return the plans of the steps that read entries."""
    found = [await each.plan(step) for step in steps if " FROM tidings_log" in step]
    assert found
    assert not any("SCAN tidings_log" in plan for plan in found)
    return found


@pytest.mark.parametrize("where", [Filter(), Filter(types=frozenset({"type1"})), Filter(slots=((0, 512),))])
async def test_a_page_is_read_by_position_without_sorting(full: Opened, where: Filter) -> None:
    async with full.steps() as steps:
        page = await full.log.read(after=500, limit=10, where=where)
    assert len(page.entries) == 10
    for plan in await plans(full, steps):
        assert plan.startswith("SEARCH tidings_log USING INTEGER PRIMARY KEY")
        assert "TEMP B-TREE" not in plan


async def test_a_page_of_one_subject_is_read_without_sorting(full: Opened) -> None:
    async with full.steps() as steps:
        page = await full.log.read(after=500, limit=10, where=Filter(subject="subject7"))
    assert len(page.entries) == 10
    assert not any("TEMP B-TREE" in plan for plan in await plans(full, steps))


async def test_subjects_are_found_by_their_index(full: Opened) -> None:
    async with full.steps() as steps:
        await full.log.last_of("subject7")
    assert all(
        "SEARCH tidings_log_subject USING PRIMARY KEY (bucket=? AND skey=?" in plan for plan in await plans(full, steps)
    )
    async with full.steps() as steps:
        wanted = History(subjects=["subject7", "subject8"], types=frozenset({"type1"}), upto=ENTRIES)
        await full.log.history(wanted)
    assert all(
        "SEARCH tidings_log_subject USING PRIMARY KEY (bucket=? AND skey=?" in plan for plan in await plans(full, steps)
    )


async def test_positions_are_found_by_the_primary_key(full: Opened) -> None:
    async with full.steps() as steps:
        await full.log.at([5, 7, 99])
    assert all("SEARCH tidings_log USING INTEGER PRIMARY KEY" in plan for plan in await plans(full, steps))


async def test_a_repeat_is_looked_up_by_its_key(fresh: Opened) -> None:
    numbered = [Write(envelopes=(event(str(n)),)) for n in range(20)]
    await fresh.log.append([*random_ids(SIZES.hot), *numbered])  # so many opaque ones that they become a run
    while await fresh.store._database.job(Upkeep(SIZES, NoPoints()).step):
        pass
    steps = await statements(fresh, [*random_ids(20), *numbered])
    [timed] = [await fresh.plan(step) for step in steps if step.startswith("SELECT k, pos")]
    assert "USING PRIMARY KEY (k=?)" in timed
    opaque = [step for step in steps if "FROM tidings_seen_slice" in step]
    assert "USING INTEGER PRIMARY KEY (rowid=?)" in await fresh.plan(opaque[-1])


async def test_below_the_floor_entries_have_expired(fresh: Opened) -> None:
    log: LogDriver = fresh.log
    await keep(log, *(event(str(n)) for n in range(10)))
    await fresh.rows("UPDATE tidings_head SET floor_pos = 5")
    with pytest.raises(PositionExpiredError) as error:
        await log.read(after=4, limit=10)
    assert error.value.floor == 5
    assert len((await log.read(after=5, limit=10)).entries) == 5
    assert (await log.head()).floor == 5
