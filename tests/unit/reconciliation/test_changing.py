"""Passes over what a provider says has changed, on a clock by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from tests.unit.reconciliation.declared import facts
from tests.unit.reconciliation.shop import SECOND, Item, OrderGone, Shop, shop
from tidings.errors import CursorExpiredError, DeclarationError, ProviderUnavailableError, RefusedError
from tidings.ports import utc
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Dirty, place_key
from tidings.reconciliation.listing import Page
from tidings.reconciliation.rules.facts import Capability
from tidings.reconciliation.rules.floors import NEVER
from tidings.reconciliation.rules.places import WHOLE
from tidings.reconciliation.rules.proofs import Proof
from tidings.reconciliation.runs.changing import has_gap, since_of

LAG = timedelta(seconds=5)


@asynccontextmanager
async def filled(count: int = 10, **changed: Any) -> AsyncIterator[Shop]:
    """A copy that was proved whole once."""
    async with shop(filters_by_change=True, **changed) as at:
        for n in range(count):
            at.provider.put(f"o{n:02}", n)
        at.pass_time(60)
        assert (await at.run()).state == "done"
        at.pass_time(10)
        yield at


async def bounds(at: Shop) -> tuple[int, int]:
    found = await at.scope.asof()
    return found.upserts or NEVER, found.deletes or NEVER


async def key_floors(at: Shop) -> dict[str, int]:
    async with at.opened.store.unit() as unit:
        book = Book(unit, "till-orders")
        found = {f"o{n:02}": await book.key_floor(place_key((f"o{n:02}",))) for n in range(20)}
    return {key: floor for key, floor in found.items() if floor is not None}


async def test_what_has_changed_is_repaired_and_proves_all_states() -> None:
    async with filled() as at:
        before = await bounds(at)
        at.provider.put("o03", 99)
        at.provider.put("o17", 17)
        at.pass_time(5)
        now = at.clock.now_us()
        run = await at.run_changed()
        assert (run.state, run.mode, run.rows, run.appended) == ("done", "changed", 2, 2)
        assert await at.shown() == at.true
        upserts, deletes = await bounds(at)
        assert before[0] < now - 4 * SECOND < upserts < now
        assert deletes == before[1]


async def test_incremental_pass_never_moves_t_delete() -> None:
    async with filled() as at:
        before = await bounds(at)
        del at.provider.items["o05"]
        for _ in range(3):
            at.pass_time(20)
            assert (await at.run_changed()).state == "done"
        upserts, deletes = await bounds(at)
        assert (deletes, upserts > before[0] + 50 * SECOND) == (before[1], True)
        assert "o05" in await at.shown()
        at.pass_time(5)
        assert (await at.run()).deleted == 1
        assert (await bounds(at))[1] > upserts


async def test_only_what_changed_since_then_and_the_overlap_is_asked_for() -> None:
    async with filled(replica_lag=LAG, index_lag=LAG) as at:
        upserts, _ = await bounds(at)
        await at.run_changed()
        since = int(at.provider.since[0].timestamp()) * SECOND
        assert since == upserts + SECOND - 2 * SECOND - 10 * SECOND


async def test_a_bound_trails_by_what_the_filtered_list_may_trail() -> None:
    async with filled() as at, filled(index_lag=timedelta(seconds=30)) as slow:
        found = []
        for each in (at, slow):
            each.pass_time(120)
            now = each.clock.now_us()
            await each.run_changed()
            found.append(now - (await bounds(each))[0])
        assert found[1] - found[0] == 30 * SECOND


@pytest.mark.parametrize("lag", ["replica_lag", "index_lag"])
async def test_closing_page_required_with_lag(lag: str) -> None:
    async with filled(**{lag: LAG}) as at:
        before, asked = await bounds(at), at.clock.now_us()
        at.pass_time(20)
        at.provider.put("o03", 99)
        at.pass_time(20)
        run = await at.run_changed()
        assert (run.state, len(at.provider.since), run.rows) == ("done", 2, 1)
        assert at.clock.now_us() - asked > 45 * SECOND  # it was read once what lags had to be there
        assert run.first_as_of is not None
        assert int(at.provider.since[1].timestamp()) * SECOND == run.first_as_of + SECOND
        assert (await bounds(at))[0] == run.first_as_of > before[0]


async def test_a_closing_page_that_does_not_fit_keeps_its_rows_and_moves_no_bound() -> None:
    async with filled(replica_lag=LAG) as at:
        before = await bounds(at)
        at.pass_time(20)
        list_changed, calls = at.scope.scope.listing.list_changed, iter(range(9))  # type: ignore[attr-defined]

        async def busy(**asked: Any) -> Page:
            if next(calls) == 1:
                for n in range(6):
                    at.provider.put(f"o{n:02}", 100 + n)
            return await list_changed(**asked)

        at.scope.scope.listing.list_changed = busy  # type: ignore[attr-defined]
        run = await at.run_changed()
        assert (run.state, run.why) == ("incomplete", "more has changed meanwhile than one page shows")
        assert run.appended == 4
        assert await bounds(at) == before


async def test_gap_in_since_blocks_t() -> None:
    assert not has_gap(since_of(100 * SECOND, facts()), 100 * SECOND, facts())
    assert has_gap(since_of(100 * SECOND, facts()) + 1, 100 * SECOND, facts())
    assert has_gap(0, NEVER, facts())
    async with filled() as at:
        before = await bounds(at)
        at.provider.trouble = _raises(ProviderUnavailableError("503"))
        paused = await at.run_changed()
        assert paused.state == "paused"
        async with at.opened.store.unit() as unit:
            await unit.hold("till-orders")
            book = Book(unit, "till-orders")
            since = before[0] + 2 * SECOND
            await book.write_run(structs.replace(paused, since=since, goes_on=since))
        at.provider.trouble = lambda what: None
        at.provider.put("o03", 99)
        at.pass_time(20)
        run = await at.run_changed()
        assert (run.id, run.state, run.why) == (
            paused.id,
            "incomplete",
            "what has changed before this pass was not read",
        )
        assert await at.shown() == at.true
        assert await bounds(at) == before


def _raises(error: Exception) -> Any:
    def trouble(what: str) -> None:
        raise error

    return trouble


async def test_key_floor_is_removed_by_range_floor() -> None:
    async with filled() as at:
        at.provider.put("o03", 99)
        at.pass_time(5)
        run = await at.run_changed()
        assert await key_floors(at) == {"o03": run.first_as_of}
        at.pass_time(5)
        await at.run()
        assert await key_floors(at) == {}


async def test_an_event_that_a_pass_has_shown_to_be_old_is_late() -> None:
    async with filled() as at:
        at.provider.put("o03", 98)
        at.pass_time(2)
        old = at.provider.items["o03"]
        at.provider.put("o03", 99)
        at.pass_time(5)
        await at.run_changed()
        new, at.provider.items["o03"] = at.provider.items["o03"], old
        await at.webhook("o03", id="late")
        at.provider.items["o03"] = new
        await at.carry()
        assert await at.shown() == at.true
        assert (await at.scope.record()).late == 1


async def test_a_delete_that_is_older_than_a_pass_is_still_news() -> None:
    async with filled() as at:
        del at.provider.items["o05"]
        gone = OrderGone("o05", utc(at.clock.now_us()))
        at.pass_time(20)
        await at.run_changed()
        await at.opened.publish(gone, source="/till", id="gone", time=utc(at.clock.now_us()))
        await at.carry()
        assert await at.shown() == at.true


async def test_a_suspect_that_a_pass_shows_is_one_no_more() -> None:
    async with filled() as at:
        hidden = at.provider.items.pop("o05")
        at.provider.trouble = lambda what: _raises(ProviderUnavailableError("503"))(what) if what == "get" else None
        await at.run()
        assert [each.key for each in (await at.scope.asof()).exceptions] == ["o05"]
        at.pass_time(5)
        at.provider.items["o05"] = Item(hidden.amount + 1, at.clock.now_us())
        at.pass_time(5)
        await at.run_changed()
        assert (await at.scope.asof()).exceptions == ()
        assert await at.shown() == at.true


async def test_pages_and_cursors_that_expire_lose_nothing() -> None:
    async with filled() as at:
        for n in range(10):
            at.provider.put(f"o{n:02}", 100 + n)
            at.pass_time(2)
        calls = iter(range(100))

        def trouble(what: str) -> None:
            if what == "changed" and next(calls) in (1, 2):
                raise CursorExpiredError

        at.provider.trouble = trouble
        at.pass_time(5)
        run = await at.run_changed()
        assert (run.state, run.restarts) == ("done", 2)
        assert await at.shown() == at.true
        assert (await bounds(at))[0] == run.first_as_of


@pytest.mark.parametrize(
    ("bend", "state"),
    [
        (lambda page: replace(page, rows=page.rows[::-1]), "incomplete"),
        (lambda page: replace(page, next_cursor="again"), "failed"),
    ],
    ids=["not in order", "in circles"],
)
async def test_a_pass_whose_pages_cannot_be_believed_moves_no_bound(bend: Any, state: str) -> None:
    async with filled() as at:
        before = await bounds(at)
        for n in range(10):
            at.provider.put(f"o{n:02}", 100 + n)
            at.pass_time(2)
        at.provider.bend = bend
        at.pass_time(5)
        run = await at.run_changed()
        assert (run.state, await bounds(at)) == (state, before)


async def test_nothing_is_read_of_what_was_never_proved_whole() -> None:
    async with shop(filters_by_change=True) as at:
        at.provider.put("o01", 1)
        at.pass_time(5)
        with pytest.raises(RefusedError, match="run it whole first"):
            await at.run_changed()
    async with shop() as at:
        with pytest.raises(RefusedError, match="does not filter by change"):
            await at.run_changed()
    with pytest.raises(DeclarationError, match="filters_by_change"):
        facts(filters_by_change=True, capability=Capability.BARE)


async def test_it_goes_on_while_the_whole_list_is_read() -> None:
    async with filled() as at:
        at.provider.put("o03", 99)
        at.pass_time(5)
        passes = []

        async def meanwhile() -> None:
            passes.append(await at.scope.run_changed())

        at.provider.before = meanwhile
        run = await at.run()
        assert (run.state, [each.state for each in passes]) == ("done", ["done"])
        assert run.appended + passes[0].appended == 1
        assert await at.shown() == at.true


async def test_a_bound_waits_for_a_repair_that_a_later_page_shows_once_more() -> None:
    async with shop(filters_by_change=True, index_lag=timedelta(seconds=5)) as at:
        for n in range(12):
            at.provider.put(f"o{n:02}", n)
        at.pass_time(60)
        await at.run()
        await at.run()
        del at.provider.items["o03"]
        at.pass_time(20)
        at.provider.trouble = lambda what: _raises(ProviderUnavailableError("503"))(what) if what == "get" else None
        await at.run()
        before = await at.scope.asof()
        assert [(each.key, each.reason) for each in before.exceptions] == [("o03", "suspect")]
        at.pass_time(1)
        at.provider.put("o03", 99)
        at.pass_time(1)
        await at.scope.run_changed()  # its first page is older than the suspicion, the closing one is not
        waiting = await at.scope.asof()
        assert (await at.shown())["o03"] == 3
        assert (waiting.exceptions, waiting.deletes) == ((), before.deletes)
        await at.carry()
        after = await at.scope.asof()
        assert (await at.shown())["o03"] == 99
        assert (after.deletes or 0) > (before.deletes or 0)


async def test_what_waited_for_a_key_that_could_not_be_read_waits_for_the_repair_of_it() -> None:
    async with shop(filters_by_change=True) as at:
        at.provider.put("o03", 3)
        at.pass_time(60)
        await at.run()
        await at.run()
        at.pass_time(20)
        at.provider.put("o03", 99)
        at.pass_time(5)
        await at.scope.run_changed()  # its repair is appended, and not merged
        now = at.clock.now_us() // SECOND * SECOND
        async with at.opened.store.unit() as unit:
            book = Book(unit, "till-orders")
            given_up = Dirty(key="o03", reason="unreadable", since=now, due=now, is_given_up=True)
            await book.write_dirty({"o03": given_up})
            proof = Proof(WHOLE, now, frozenset({"d:o03"}), frozenset({"d:o03"}))
            await book.prove("a-page-before", proof, await book.floors(WHOLE))
        await at.scope.run_changed()
        waiting = await at.scope.asof()
        assert (waiting.exceptions, (await at.shown())["o03"]) == ((), 3)
        assert (waiting.upserts or 0) < now
        await at.carry()
        assert ((await at.scope.asof()).upserts or 0) >= now
