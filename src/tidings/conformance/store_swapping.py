"""Chapter "swapping": a view's tables, and how one takes the place of another while both are written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidings.conformance.store_samples import (
    CONSUMER,
    OTHER,
    TTL,
    claimed,
    claimed_one,
    entry,
    made,
    reason,
    record,
    refused,
    replace_rows,
    row,
    rows_in,
    table,
)
from tidings.errors import CheckpointMovedError, NotFoundError, RefusedError
from tidings.store.claims import Claim
from tidings.store.driver import StoreDriver
from tidings.store.rows import Column

FIRST = record(table(version=1))
SECOND = record(table(version=2), "building", shape="shape 2")
NEW = "suite.new"


async def advance(store: StoreDriver, *claims: Claim, to: int) -> None:
    async with store.unit(*claims) as unit:
        unit.advance(to=to)


async def park(store: StoreDriver, consumer: str, *positions: int, subject: str = "subject/1") -> None:
    async with store.unit() as unit:
        await unit.park(consumer, subject, [entry(position, subject=subject) for position in positions], reason(None))


async def both_at(store: StoreDriver, position: int) -> None:
    """Make the current table and the one that is to take its place, with their consumers at this position."""
    await store.create_view(FIRST)
    await store.create_view(SECOND)
    for claim in (await claimed_one(store), await claimed_one(store, NEW)):
        await advance(store, claim, to=position)


async def read(store: StoreDriver, query: str = "SELECT * FROM suite_sample ORDER BY key") -> list[tuple[object, ...]]:
    async with store.unit() as unit:
        return await unit.sql.fetch(query)


async def waiting(store: StoreDriver) -> dict[tuple[str, str], int]:
    """Return how many entries wait, by consumer and subject."""
    return {(each.consumer, each.subject): each.entries for each in await store.parked()}


async def states(store: StoreDriver) -> list[tuple[int, str]]:
    return [(each.table.version, each.state) for each in await store.views()]


class Swapping:
    """A mixin of `StoreSuite`."""

    async def test_a_view_is_noted_as_it_was_declared(self, store: StoreDriver) -> None:
        columns = (Column("key", "text"), Column("note", "json", True), Column("at", "time"))
        given = replace(record(table(*columns, spans=True), shape="éö", types=("b", "a")), declared=7)
        await store.create_view(given)
        assert await store.views() == [given]

    async def test_creating_a_view_twice_is_once(self, store: StoreDriver) -> None:
        await store.create_view(FIRST)
        await replace_rows(store, FIRST.table, row("a", 1))
        await store.create_view(FIRST)
        assert await store.views() == [FIRST]
        assert await rows_in(store, FIRST.table) == [row("a", 1)]

    async def test_another_shape_under_the_same_version_is_refused(self, store: StoreDriver) -> None:
        await store.create_view(FIRST)
        with pytest.raises(RefusedError, match="another shape"):
            await store.create_view(replace(FIRST, shape="shape 2"))
        assert await store.views() == [FIRST]

    async def test_a_name_that_somebody_elses_table_has_is_refused(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            await unit.sql.execute("CREATE TABLE suite_sample (mine TEXT)")
        with pytest.raises(RefusedError, match="suite_sample"):
            await store.create_view(FIRST)
        assert await store.views() == []
        assert await read(store, "SELECT * FROM suite_sample") == []

    async def test_two_views_whose_names_run_together_are_refused(self, store: StoreDriver) -> None:
        await made(store, table(service="a_b", view="c"))
        with pytest.raises(RefusedError, match="a_b_c"):
            await made(store, table(service="a", view="b_c", version=2))

    async def test_readers_see_the_live_table_without_tombstones(self, store: StoreDriver) -> None:
        await store.create_view(FIRST)
        await replace_rows(store, FIRST.table, row("a", 1), row("b", 2, kind=1), row("c", 3))
        assert await read(store) == [("a", 1), ("c", 3)]

    async def test_a_building_table_is_not_read(self, store: StoreDriver) -> None:
        await store.create_view(FIRST)
        await store.create_view(SECOND)
        await replace_rows(store, FIRST.table, row("a", 1))
        await replace_rows(store, SECOND.table, row("a", 2))
        assert await read(store) == [("a", 1)]
        assert await states(store) == [(1, "current"), (2, "building")]

    async def test_a_swap_moves_readers_at_once(self, store: StoreDriver) -> None:
        await store.create_view(FIRST)
        columns = (Column("key", "text"), Column("count", "integer"), Column("more", "text"))
        second = replace(SECOND, table=table(*columns, version=2))
        await store.create_view(second)
        await replace_rows(store, FIRST.table, row("a", 1))
        await replace_rows(store, second.table, row("a", 2, "x"))
        assert await store.swap_view(second, consumer=NEW, replaced_consumer=None)
        assert await read(store) == [("a", 2, "x")]
        assert await states(store) == [(1, "replaced"), (2, "current")]
        assert await rows_in(store, FIRST.table) == [row("a", 1)]

    async def test_a_swap_waits_for_who_is_behind(self, store: StoreDriver) -> None:
        await store.create_view(FIRST)
        await store.create_view(SECOND)
        old, new = await claimed_one(store), await claimed_one(store, NEW)
        await advance(store, old, to=5)
        assert not await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)
        await advance(store, new, to=4)
        assert not await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)
        assert await states(store) == [(1, "current"), (2, "building")]
        await advance(store, new.at(4), to=5)
        assert await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)

    async def test_every_partition_has_to_be_there(self, store: StoreDriver) -> None:
        await store.create_view(FIRST)
        await store.create_view(SECOND)
        old, new = await claimed(store, partitions=2), await claimed(store, NEW, partitions=2)
        await advance(store, old[0], to=5)
        await advance(store, new[1], to=9)
        assert not await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)
        await advance(store, new[0], to=5)
        assert await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)

    async def test_with_other_partitions_the_last_has_to_reach_the_first(self, store: StoreDriver) -> None:
        await store.create_view(FIRST)
        await store.create_view(SECOND)
        old, new = await claimed(store, partitions=2), await claimed_one(store, NEW)
        await advance(store, old[1], to=5)
        await advance(store, new, to=4)
        assert not await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)
        await advance(store, new.at(4), to=5)
        assert await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)

    async def test_a_swap_waits_for_a_subject_that_the_new_table_lacks(self, store: StoreDriver) -> None:
        await both_at(store, 5)
        await park(store, NEW, 3, 4)
        assert not await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)
        async with store.unit() as unit:
            await unit.unpark(NEW, "subject/1", 3)
        assert not await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)
        await store.drop(NEW, "subject/1", 4, reason="not wanted")
        assert await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)

    async def test_a_swap_waits_for_a_subject_that_both_tables_lack(self, store: StoreDriver) -> None:
        await both_at(store, 5)
        await park(store, CONSUMER, 3)
        await park(store, NEW, 3, 4)
        assert not await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)
        assert (await states(store), await waiting(store)) == (
            [(1, "current"), (2, "building")],
            {(CONSUMER, "subject/1"): 1, (NEW, "subject/1"): 2},
        )

    async def test_a_swap_waits_for_a_subject_that_the_live_table_has_not_reached(self, store: StoreDriver) -> None:
        await both_at(store, 5)
        await park(store, NEW, 6)
        assert not await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)

    async def test_who_accepts_what_is_parked_swaps_and_it_stays_parked(self, store: StoreDriver) -> None:
        await both_at(store, 5)
        await park(store, NEW, 3, 4)
        assert await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER, accepts_parked=True)
        assert await waiting(store) == {(NEW, "subject/1"): 2}

    async def test_who_accepts_what_is_parked_still_waits_for_who_is_behind(self, store: StoreDriver) -> None:
        await both_at(store, 5)
        await store.rewind(NEW, to=4)
        assert not await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER, accepts_parked=True)

    async def test_what_is_parked_for_the_replaced_table_goes_away_with_the_swap(self, store: StoreDriver) -> None:
        await both_at(store, 5)
        await park(store, CONSUMER, 2, 3)
        await park(store, CONSUMER, 4, subject="subject/2")
        await park(store, "suite.bystander", 4)
        assert await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER, who="cli")
        assert await waiting(store) == {("suite.bystander", "subject/1"): 1}
        assert await store.dead_letters(CONSUMER, "subject/1", limit=10) == []
        with pytest.raises(NotFoundError):
            await store.schedule_redrive(CONSUMER, "subject/1", at=0)
        [kept] = await store.audit()
        assert (kept.who, kept.what, kept.on, kept.subject) == ("cli", "replace", CONSUMER, None)
        assert kept.reason.startswith("2 parked subjects with 3 entries: suite_sample__v2 took its table's place")

    async def test_what_went_away_with_the_replaced_table_is_not_given_up(self, store: StoreDriver) -> None:
        await both_at(store, 5)
        await park(store, CONSUMER, 3)
        assert await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)
        third = record(table(version=3), "building")
        await store.create_view(third)
        async with store.unit() as unit:
            assert await unit.dropped(third.table) == frozenset()

    async def test_a_swap_that_takes_nothing_away_is_not_in_the_audit(self, store: StoreDriver) -> None:
        await both_at(store, 5)
        assert await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)
        assert await store.audit() == []

    async def test_a_swap_that_waits_takes_nothing_away(self, store: StoreDriver) -> None:
        await both_at(store, 5)
        await park(store, CONSUMER, 3)
        await store.rewind(NEW, to=4)
        assert not await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)
        assert (await waiting(store), await store.audit()) == ({(CONSUMER, "subject/1"): 1}, [])

    async def test_without_a_live_table_nothing_can_go_back(self, store: StoreDriver) -> None:
        await store.create_view(SECOND)
        await park(store, NEW, 6)
        assert await store.swap_view(SECOND, consumer=NEW, replaced_consumer=None)

    async def test_after_the_swap_the_old_owner_is_refused(self, store: StoreDriver) -> None:
        await store.create_view(FIRST)
        await store.create_view(SECOND)
        old = await claimed_one(store)
        await claimed_one(store, NEW)
        assert await store.swap_view(SECOND, consumer=NEW, replaced_consumer=CONSUMER)
        async with refused(CheckpointMovedError, store.unit(old)) as unit:
            await unit.replace(FIRST.table, [row("a", 1)])
            unit.advance(to=1)
        assert list(await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)) == []
        assert await rows_in(store, FIRST.table) == []

    async def test_a_swap_that_is_done_is_done(self, store: StoreDriver) -> None:
        await store.create_view(FIRST)
        await store.create_view(SECOND)
        for _ in range(2):
            assert await store.swap_view(SECOND, consumer=NEW, replaced_consumer=None)
        assert await states(store) == [(1, "replaced"), (2, "current")]
        with pytest.raises(NotFoundError):
            await store.swap_view(record(table(version=3)), consumer=NEW, replaced_consumer=None)

    async def test_a_table_that_is_not_live_is_dropped(self, store: StoreDriver) -> None:
        await store.create_view(FIRST)
        await store.create_view(SECOND)
        await store.swap_view(SECOND, consumer=NEW, replaced_consumer=None)
        for _ in range(2):
            await store.drop_view(FIRST)
        assert await states(store) == [(2, "current")]
        with pytest.raises(RefusedError, match="current"):
            await store.drop_view(SECOND)
        assert await read(store) == []

    async def test_a_dropped_table_can_be_made_again_and_is_empty(self, store: StoreDriver) -> None:
        spanning = record(table(version=2, spans=True), "building")
        await store.create_view(spanning)
        async with store.unit() as unit:
            await unit.replace(spanning.table, [row("a", 1)])
            await unit.join(spanning.table, [(("a",), 1)])
        await store.drop_view(spanning)
        await store.create_view(spanning)
        async with store.unit() as unit:
            assert await unit.rows(spanning.table, [("a",)]) == {}
            assert await unit.members(spanning.table, [("a",)]) == {}
