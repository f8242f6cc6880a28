"""Chapter "auditing": a change and what the audit keeps of it are kept together or not at all."""

from __future__ import annotations

import pytest

from tidings.conformance.store_harness import StoreHarness
from tidings.conformance.store_keyed import request
from tidings.conformance.store_samples import CONSUMER, audited, claimed_one, refused, undone
from tidings.errors import NotFoundError, RefusedError
from tidings.store.audit import WHATS, Change
from tidings.store.driver import StoreDriver

PAUSING = Change(who="key 3f9a", what="pause", on=CONSUMER, reason="“the carrier” is down")


async def paused(store: StoreDriver) -> list[str | None]:
    return [each.paused for each in (await store.checkpoints(CONSUMER)).values()]


class Auditing:
    """A mixin of `StoreSuite`."""

    async def test_a_change_is_kept_with_who_made_it_when_and_why(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await claimed_one(store)
        harness.clock.move(1)
        async with store.changing(PAUSING) as changing:
            await changing.pause(CONSUMER, "why")
        [found] = await store.audit()
        assert found == audited(PAUSING, n=found.n, at=harness.clock.now_us())
        assert await paused(store) == ["why"]

    async def test_every_kind_of_change_comes_back_as_it_was_newest_first(self, store: StoreDriver) -> None:
        changes = [Change(who="cli", what=what, on=f"the {what}") for what in WHATS]
        changes.append(Change(who="console", what="redrive", on="a", subject="\x00source\x00id", position=2**40))
        for change in changes:
            async with store.changing(change):
                pass
        found = await store.audit()
        assert list(found) == [audited(change, n=each.n) for change, each in zip(reversed(changes), found, strict=True)]
        assert list(await store.audit(limit=2)) == list(found[:2])
        assert list(await store.audit(before=found[1].n, limit=3)) == list(found[2:5])

    async def test_what_was_not_done_leaves_no_trace(self, store: StoreDriver) -> None:
        await claimed_one(store)
        async with undone(store.changing(PAUSING)) as changing:
            await changing.pause(CONSUMER, "why")
        async with refused(NotFoundError, store.changing(PAUSING)) as changing:
            await changing.pause(CONSUMER, "why")
            await changing.pause("nobody", "why")
        assert await paused(store) == [None]
        assert list(await store.audit()) == []

    async def test_a_change_under_a_key_is_part_of_the_requests_transaction(self, store: StoreDriver) -> None:
        await claimed_one(store)
        async with undone(store.keyed(request())) as keyed, keyed.store.changing(PAUSING) as changing:
            await changing.pause(CONSUMER, "why")
        assert (await paused(store), list(await store.audit())) == ([None], [])
        async with store.keyed(request()) as keyed:
            async with refused(NotFoundError, keyed.store.changing(PAUSING)) as changing:
                await changing.pause(CONSUMER, "undone")
                await changing.pause("nobody", "why")
            async with keyed.store.changing(PAUSING) as changing:
                await changing.pause(CONSUMER, "why")
            await keyed.keep(b"done")
        assert await paused(store) == ["why"]
        assert [each.what for each in await store.audit()] == ["pause"]

    async def test_a_drop_within_a_change_is_part_of_it(self, store: StoreDriver) -> None:
        async with refused(NotFoundError, store.changing(PAUSING)) as changing:
            await changing.drop(CONSUMER, "subject/1", 3, reason="a slip")
        assert list(await store.audit()) == []

    async def test_no_change_begins_inside_a_unit(self, store: StoreDriver) -> None:
        async with store.unit():
            with pytest.raises(RefusedError):
                async with store.changing(PAUSING):
                    pass
        assert list(await store.audit()) == []
