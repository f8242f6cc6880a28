"""Items of which nothing but the order of reads tells two states apart: what overlaps is asked for again."""

from __future__ import annotations

from tests.unit.reconciliation.shop import Item, Shop, shop
from tests.unit.reconciliation.test_scope import filled
from tidings.errors import ProviderUnavailableError
from tidings.reconciliation.listing import Answer, Page
from tidings.reconciliation.rules.facts import Capability

BARE = Capability.BARE


def meanwhile_old(at: Shop, key: str, amount: int) -> None:
    """Have the page that is being read show an item as it was before what `before` does."""

    def bend(page: Page) -> Page:
        for row in page.rows:
            if row.key == key:
                row.state["amount"] = amount  # type: ignore[index]
        return page

    at.provider.bend = bend


async def test_what_a_list_does_not_show_is_asked_for_and_deleted() -> None:
    async with shop(capability=BARE) as at:
        await filled(at, 8)
        del at.provider.items["o05"]
        at.pass_time(5)
        run = await at.run()
        assert (run.suspects, run.deleted, await at.shown() == at.true) == (1, 1, True)


async def test_a_page_does_not_take_an_item_back_that_was_read_meanwhile() -> None:
    async with shop(capability=BARE) as at:
        await filled(at, 8)
        told = (await at.scope.asof()).upserts

        async def read_meanwhile() -> None:
            at.provider.put("o02", 99)
            await at.webhook("o02", id="hint")
            await at.carry()
            assert await at.scope.read_dirty() == 1
            await at.carry()

        at.provider.before = read_meanwhile
        meanwhile_old(at, "o02", 2)
        run = await at.run()
        assert (run.appended, (await at.shown())["o02"]) == (0, 99)
        assert (await at.scope.asof()).upserts == told  # the page waits for one more read
        at.pass_time(2)
        assert await at.scope.read_dirty() == 1
        await at.carry()
        assert ((await at.scope.asof()).upserts or 0) > (told or 0)
        assert await at.shown() == at.true


async def test_an_answer_that_says_what_a_repair_will_say_is_waited_for_until_that_is_merged() -> None:
    async with shop(capability=BARE) as at:
        await filled(at, 8)
        told = (await at.scope.asof()).upserts

        async def read_meanwhile() -> None:
            await at.webhook("o02", id="hint")
            await at.carry()
            assert await at.scope.read_dirty() == 1

        at.provider.before = read_meanwhile
        await at.run()  # whose page waits for one more read of it
        at.provider.put("o02", 99)
        at.pass_time(2)
        assert (await at.scope.run_key("o02")).appended == 1
        at.pass_time(2)
        assert await at.scope.read_dirty() == 1
        assert (await at.scope.asof()).upserts == told
        await at.carry()
        assert ((await at.scope.asof()).upserts or 0) > (told or 0)
        assert await at.shown() == at.true


async def test_an_answer_that_a_page_overlapped_is_asked_for_again() -> None:
    async with shop(capability=BARE) as at:
        await filled(at, 8)
        await at.webhook("o02", id="hint")
        await at.carry()
        get_one, calls = at.scope.scope.listing.get_one, iter(range(9))

        async def slow(key: str) -> Answer:
            found = await get_one(key)
            if next(calls) == 0:
                at.provider.put("o02", 99)
                await at.run()
            return found

        at.scope.scope.listing.get_one = slow  # type: ignore[method-assign]
        assert await at.scope.read_dirty() == 0
        at.pass_time(2)
        assert await at.scope.read_dirty() == 1
        await at.carry()
        assert await at.shown() == at.true


async def test_hints_that_come_while_a_key_is_read_make_one_more_read() -> None:
    async with shop(capability=BARE) as at:
        await filled(at, 8)
        await at.webhook("o02", id="hint")
        await at.carry()
        get_one, calls = at.scope.scope.listing.get_one, iter(range(9))

        async def slow(key: str) -> Answer:
            found = await get_one(key)
            if next(calls) == 0:
                for n in range(3):
                    at.provider.put("o02", 99 + n)
                    await at.webhook("o02", id=f"hint-{n}")
                await at.carry()
            return found

        at.scope.scope.listing.get_one = slow  # type: ignore[method-assign]
        assert [await at.scope.read_dirty() for _ in range(3)] == [1, 1, 0]
        await at.carry()
        assert await at.shown() == at.true


async def test_a_key_is_read_by_one_process_at_a_time() -> None:
    async with shop(capability=BARE) as at:
        await filled(at, 8)
        await at.webhook("o02", id="hint")
        await at.carry()
        get_one, asked = at.scope.scope.listing.get_one, []

        async def slow(key: str) -> Answer:
            asked.append(key)
            if len(asked) == 1:
                assert await at.other_process().read_dirty() == 0
            return await get_one(key)

        at.scope.scope.listing.get_one = slow  # type: ignore[method-assign]
        assert await at.scope.read_dirty() == 1
        assert asked == ["o02"]


async def test_deletes_that_hints_lead_to_are_held_as_those_of_a_list() -> None:
    async with shop(capability=BARE) as at:
        await filled(at, 40)
        for n in range(15):
            del at.provider.items[f"o{n:02}"]
            await at.webhook(f"o{n:02}", id=f"gone-{n}")
        await at.carry()
        for _ in range(3):
            await at.scope.read_dirty()
            await at.carry()
            at.pass_time(61)
        assert len(await at.shown()) == 30


async def test_one_item_is_asked_for_alone() -> None:
    async with shop() as at:
        await filled(at, 8)
        at.provider.items["o02"] = Item(99, at.clock.now_us())
        del at.provider.items["o03"]
        at.pass_time(5)
        runs = [await at.scope.run_key(key) for key in ("o02", "o03", "o04", "none")]
        await at.carry()
        assert [(each.mode, each.state, each.appended, each.deleted) for each in runs] == [
            ("key", "done", 1, 0),
            ("key", "done", 1, 1),
            ("key", "done", 0, 0),
            ("key", "done", 0, 0),
        ]
        assert await at.shown() == at.true

        def trouble(what: str) -> None:
            raise ProviderUnavailableError("503")

        at.provider.trouble = trouble
        assert (await at.scope.run_key("o02")).state == "incomplete"
