"""Chapter "versions": which there are and whose gates are open, and who runs with which, by leases that lapse."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tidings.conformance.store_harness import START_US, StoreHarness
from tidings.conformance.store_samples import undone
from tidings.errors import NotFoundError, SchemaChangedError
from tidings.store.driver import StoreDriver
from tidings.store.versions import EventVersion, VersionLease

TTL = timedelta(seconds=30)


def version(number: int, *, type: str = "suite.happened", sha256: str = "a", **more: Any) -> EventVersion:
    return EventVersion(type=type, version=number, sha256=sha256, schema=b'{"type": "object"}', **more)


def lease(instance: str = "one", **more: Any) -> VersionLease:
    chosen = {"service": "shop", "consumer": "shop", "type": "suite.happened", "role": "accept", "versions": (1, 2)}
    return VersionLease(instance=instance, **{**chosen, **more})


async def gates(store: StoreDriver) -> list[tuple[int, str, int]]:
    return [(each.version, each.gate, each.epoch) for each in await store.event_versions()]


class Registering:
    """A mixin of `StoreSuite`."""

    async def test_the_first_version_of_a_new_type_is_open_and_later_ones_are_closed(self, store: StoreDriver) -> None:
        await store.register_versions([version(2), version(1)], replaces=True)
        await store.register_versions([version(3), version(2), version(1)], replaces=True)
        assert await gates(store) == [(1, "open", 0), (2, "closed", 0), (3, "closed", 0)]

    async def test_versions_come_back_as_they_were_given(self, store: StoreDriver) -> None:
        given = version(1, published=True, owner="shop", semantic_change=True)
        await store.register_versions([given, version(1, type="other")], replaces=True)
        assert await store.event_versions("suite.happened") == [replace(given, gate="open")]
        assert [each.type for each in await store.event_versions()] == ["other", "suite.happened"]

    async def test_a_published_version_with_another_schema_is_refused_and_nothing_is_kept(
        self, store: StoreDriver
    ) -> None:
        await store.register_versions([version(1, published=True)], replaces=True)
        with pytest.raises(SchemaChangedError):
            await store.register_versions([version(1, sha256="b"), version(1, type="other")], replaces=True)
        assert [(each.type, each.sha256) for each in await store.event_versions()] == [("suite.happened", "a")]

    async def test_a_version_that_is_not_published_is_replaced_by_who_may(self, store: StoreDriver) -> None:
        await store.register_versions([version(1)], replaces=True)
        await store.register_versions([version(1, sha256="reader")], replaces=False)
        [kept] = await store.event_versions()
        assert kept.sha256 == "a"
        await store.register_versions([version(1, sha256="b", published=True)], replaces=True)
        [kept] = await store.event_versions()
        assert (kept.sha256, kept.published, kept.gate) == ("b", True, "open")

    async def test_a_gate_that_is_written_raises_the_epoch_of_its_type(self, store: StoreDriver) -> None:
        await store.register_versions([version(1), version(2)], replaces=True)
        first, second = await store.event_versions()
        await store.write_version(replace(second, gate="open"))
        await store.write_version(replace(first, gate="closing", by_hand=True))
        await store.write_version(replace(first, gate="closing", life="deprecated", deprecated=5, sunset=9))
        assert await gates(store) == [(1, "closing", 2), (2, "open", 1)]
        with pytest.raises(NotFoundError):
            await store.write_version(version(7))

    async def test_what_is_decided_is_undone_with_its_block(self, store: StoreDriver) -> None:
        await store.register_versions([version(1), version(2)], replaces=True)
        async with undone(store.deciding("suite.happened")) as deciding:
            [_, second] = await deciding.event_versions()
            await deciding.write_version(replace(second, gate="open"))
        assert await gates(store) == [(1, "open", 0), (2, "closed", 0)]

    async def test_two_that_decide_about_one_type_come_one_after_the_other(self, store: StoreDriver) -> None:
        await store.register_versions([version(1), version(2), version(3)], replaces=True)

        async def open_next() -> None:
            async with store.deciding("suite.happened") as deciding:
                closed = [each for each in await deciding.event_versions() if each.gate == "closed"]
                await deciding.write_version(replace(closed[0], gate="open"))

        await asyncio.gather(open_next(), open_next())
        assert await gates(store) == [(1, "open", 0), (2, "open", 1), (3, "open", 2)]


class Joining:
    """A mixin of `StoreSuite`."""

    async def test_leases_come_back_as_they_were_given_with_their_times(self, store: StoreDriver) -> None:
        emits = lease(consumer="", role="emit", versions=(2,), gate_epoch=3, revision="r1", details=b'{"a": 1}')
        await store.join_versions([lease(), emits], ttl=TTL)
        times: dict[str, Any] = {"renewed_at": START_US, "expires_at": START_US + 30_000_000}
        assert await store.version_leases() == [replace(emits, **times), replace(lease(), **times)]

    async def test_who_renews_in_time_goes_on_as_admitted(self, store: StoreDriver, harness: StoreHarness) -> None:
        await store.join_versions([lease(), lease(consumer="", role="emit")], ttl=TTL)
        await store.admit_consumer("one", "shop")
        harness.clock.move(20)
        assert await store.renew_versions("one", {"suite.happened": 4}, ttl=TTL)
        harness.clock.move(20)
        emits, accepts = await store.version_leases()
        assert accepts.is_live(harness.clock.now_us())
        assert (accepts.admission, emits.admission, emits.gate_epoch) == ("admitted", "held", 4)

    async def test_who_renews_too_late_is_told_and_counts_no_more(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await store.join_versions([lease()], ttl=TTL)
        await store.admit_consumer("one", "shop")
        harness.clock.move(30)
        assert not await store.renew_versions("one", {}, ttl=TTL)
        [lapsed] = await store.version_leases()
        assert not lapsed.is_live(harness.clock.now_us())
        await store.join_versions([lease()], ttl=TTL)
        [again] = await store.version_leases()
        assert (again.admission, again.is_live(harness.clock.now_us())) == ("held", True)

    async def test_what_was_said_by_a_clock_far_ahead_counts_no_more_once_it_is_set_right(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        harness.clock.move(3600)
        await store.join_versions([lease(), lease("two", consumer="other")], ttl=TTL)
        await store.admit_consumer("one", "shop")
        harness.clock.move(-29)
        assert all(each.is_live(harness.clock.now_us()) for each in await store.version_leases())
        harness.clock.move(-3571)
        assert not any(each.is_live(harness.clock.now_us()) for each in await store.version_leases())
        assert not await store.renew_versions("one", {}, ttl=TTL)
        await store.forget_leases("other")
        await store.join_versions([lease("three")], ttl=TTL)
        [now] = await store.version_leases()
        assert (now.instance, now.is_live(harness.clock.now_us())) == ("three", True)

    async def test_nobody_renews_what_never_joined(self, store: StoreDriver) -> None:
        assert not await store.renew_versions("nobody", {}, ttl=TTL)

    async def test_what_a_release_said_last_stays_once_until_the_next_of_it_joins(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        for instance in ("one", "two", "three"):
            await store.join_versions([lease(instance, revision="r1")], ttl=TTL)
            await store.leave_versions(instance)
        await store.join_versions([lease("four", revision="r2")], ttl=TTL)
        found = [(each.instance, each.admission) for each in await store.version_leases()]
        assert found == [("three", "left"), ("four", "held")]
        assert not (await store.version_leases())[0].is_live(harness.clock.now_us())

    async def test_a_consumer_that_is_retired_is_forgotten_but_for_who_runs(self, store: StoreDriver) -> None:
        await store.join_versions([lease("one"), lease("one", consumer="other")], ttl=TTL)
        await store.leave_versions("one")
        await store.join_versions([lease("two", revision="r2")], ttl=TTL)
        await store.forget_leases("shop")
        found = [(each.instance, each.consumer) for each in await store.version_leases()]
        assert found == [("one", "other"), ("two", "shop")]
