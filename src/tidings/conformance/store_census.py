"""Chapter "census": how many entries of each version there are, exactly, whoever folds the counts and when."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from tidings.conformance import endpoint_samples as endpoints
from tidings.conformance.samples import SOURCE, event, keep
from tidings.conformance.store_samples import FAILED, claimed, entry, park
from tidings.log.driver import LogDriver
from tidings.ports import SystemClock
from tidings.store.driver import StoreDriver
from tidings.store.versions import Counted


def counts(counted: Counted) -> dict[tuple[str, int], int]:
    return {(each.type, each.version): each.entries for each in counted.tallies}


async def append(log: LogDriver, *kinds: tuple[str, int], of: str = "") -> None:
    """Append an event of each of these types and versions, in one write."""
    events = [event(f"{of}{n}", type=type, version=version) for n, (type, version) in enumerate(kinds)]
    await keep(log, *events)


class Tallying:
    """A mixin of `StoreSuite`, with a log."""

    async def test_entries_are_counted_by_version_before_and_after_they_are_folded(
        self, store: StoreDriver, log: LogDriver
    ) -> None:
        await append(log, ("a", 1), ("a", 2), ("b", 1), ("a", 1))
        expected = {("a", 1): 2, ("a", 2): 1, ("b", 1): 1}
        assert counts(await store.tallies()) == expected
        await _fold(store, log)
        assert counts(await store.tallies()) == expected
        await append(log, ("a", 2), of="more")
        found = await store.tallies()
        assert counts(found) == {**expected, ("a", 2): 2}
        assert (found.is_exact, found.head) == (True, (await log.head()).position)

    async def test_a_repeat_and_a_refused_write_count_for_nothing(self, store: StoreDriver, log: LogDriver) -> None:
        await append(log, ("a", 1))
        await append(log, ("a", 1))
        await append(log, ("a", 2))  # the same id with other content
        assert counts(await store.tallies()) == {("a", 1): 1}

    async def test_folding_twice_at_once_counts_everything_once(self, store: StoreDriver, log: LogDriver) -> None:
        await append(log, *[("a", 1)] * 50)
        await asyncio.gather(*[_fold(store, log, most=20) for _ in range(6)])
        assert counts(await store.tallies()) == {("a", 1): 50}

    async def test_counts_behind_a_position_are_never_below_the_truth_and_zero_is_none(
        self, store: StoreDriver, log: LogDriver
    ) -> None:
        await append(log, ("a", 1), ("a", 2), ("a", 2))
        first = await log.find(SOURCE, "0")
        assert first is not None
        assert counts(await store.tallies(after=first.position)) == {("a", 2): 2}
        await _fold(store, log)
        found = await store.tallies(after=first.position)
        assert ("a", 1) not in counts(found)
        assert counts(found)[("a", 2)] == 2
        assert counts(await store.tallies(after=(await log.head()).position)) == {}

    async def test_what_was_just_counted_is_not_read_again_unless_it_was_folded_since(
        self, store: StoreDriver, log: LogDriver
    ) -> None:
        await append(log, ("a", 1), ("a", 2))
        await _fold(store, log)
        await append(log, ("a", 2), of="more")
        known = await store.tallies()
        await append(log, ("a", 2), of="since")
        assert counts(await store.tallies(known=known)) == {("a", 1): 1, ("a", 2): 2}
        await _fold(store, log)
        assert counts(await store.tallies(known=known)) == {("a", 1): 1, ("a", 2): 3}

    async def test_what_lies_behind_a_mark_is_known_where_the_segments_end_before_it(
        self, store: StoreDriver, log: LogDriver
    ) -> None:
        await append(log, ("a", 1), ("a", 2))
        await _fold(store, log)
        await append(log, ("a", 2), ("a", 2), of="more")
        head = (await log.head()).position
        await append(log, ("a", 3), of="behind")
        known = await store.tallies(marks=[head, 0])
        assert counts(known) == {("a", 1): 1, ("a", 2): 3, ("a", 3): 1}
        await append(log, ("a", 3), of="since")
        behind = await store.tallies(after=head, known=known)
        assert counts(behind) == {("a", 3): 1}
        assert behind.is_exact
        assert counts(await store.tallies(after=head - 1, known=known))[("a", 3)] == 2  # not marked: read again

    async def test_what_lies_before_a_consumer_is_counted_by_its_partitions(
        self, store: StoreDriver, log: LogDriver
    ) -> None:
        await keep(log, *[event(str(n), subject=f"s/{n}", type="a") for n in range(40)])
        claims = await claimed(store, partitions=4)
        assert counts(await store.tallies_of("suite")) == {("a", 1): 40}
        head = (await log.read(after=0, limit=100)).upto
        async with store.unit(*claims[:2]) as unit:
            unit.advance(to=head)
        left = counts(await store.tallies_of("suite"))[("a", 1)]
        assert 0 < left < 40
        async with store.unit(*claims[2:]) as unit:
            unit.advance(to=head)
        assert counts(await store.tallies_of("suite")) == {}

    async def test_a_recount_agrees_and_may_begin_anew(self, store: StoreDriver, log: LogDriver) -> None:
        await append(log, ("a", 1), ("a", 2))
        await _fold(store, log)
        assert await store.recount_census(repairs=False) == []
        assert not (await store.tallies()).differs
        assert await store.recount_census(repairs=True) == []
        assert counts(await store.tallies()) == {("a", 1): 1, ("a", 2): 1}


class Waiting:
    """A mixin of `StoreSuite`."""

    async def test_what_is_parked_is_counted_by_its_version(self, store: StoreDriver) -> None:
        await claimed(store)
        assert await store.waiting_versions() == []
        await park(store, entry(1, version=1), entry(2, version=2), entry(3, version=2), why=FAILED)
        found = [(each.place, each.of, each.version, each.entries) for each in await store.waiting_versions()]
        assert found == [("dead", "suite", 1, 1), ("dead", "suite", 2, 2)]
        assert {each.subject for each in await store.waiting_versions()} == {"subject/1"}

    async def test_dead_deliveries_are_counted_by_the_version_they_are_told_in(self, store: StoreDriver) -> None:
        await endpoints.keep(store, endpoints.endpoint())
        told = [replace(endpoints.sent(n, subject=f"s{n}"), pin=pin) for n, pin in ((1, 1), (2, 1), (3, 2))]
        await endpoints.deliver(store, *told)
        taken = await endpoints.take(store)
        for each in taken:
            if each.delivery.pin == 1:
                await endpoints.settle(store, each, endpoints.DEAD)
        found = [(each.place, each.of, each.version, each.entries) for each in await store.waiting_versions()]
        assert found == [("delivery", "e", 2, 1), ("given-up", "e", 1, 2)]
        assert [each.subjects for each in await store.waiting_versions() if each.place == "given-up"] == [2]


async def _fold(store: StoreDriver, log: LogDriver, *, most: int = 1_000) -> None:
    """Fold all there is: what a read proved to be final may be written down a little later."""
    head = (await log.read(after=0, limit=1_000)).upto
    async with asyncio.timeout(30):
        while (await store.tallies()).upto < head:
            await store.fold_census(most=most)
            await SystemClock().sleep(0.01)
