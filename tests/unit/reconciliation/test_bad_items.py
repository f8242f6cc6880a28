"""Items that a copy cannot hold, or must not believe: each costs its own key, and no other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.reconciliation.shop import SECOND, Item, Orders, Shop, shop
from tidings.cli.reconcile import code_of
from tidings.events.envelope import Envelope
from tidings.reconciliation import keyed_row
from tidings.reconciliation.listing import Answer, Hint, Page, Row, Snapshot
from tidings.reconciliation.rules.facts import Order

HOUR = 3_600 * SECOND


async def filled(at: Shop, count: int = 8) -> None:
    for n in range(count):
        at.provider.put(f"o{n:02}", n)
    at.pass_time(10)
    assert (await at.run()).state == "done"
    at.pass_time(10)


def bent(at: Shop, key: str, **state: object) -> None:
    """Have one row say something else."""

    def bend(page: Page) -> Page:
        rows = [replace(row, state={**row.state, **state}) if row.key == key else row for row in page.rows]
        return replace(page, rows=rows)

    at.provider.bend = bend


async def excepted(at: Shop) -> dict[str, str]:
    return {each.key: each.reason for each in (await at.scope.asof()).exceptions}


async def test_what_a_copy_cannot_hold_is_an_exception_until_it_can() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o05", 99)
        bent(at, "o02", amount="many")
        at.pass_time(5)
        run = await at.run()
        assert (run.state, run.unreadable, run.appended, run.deleted) == ("done", 1, 1, 0)
        assert await excepted(at) == {"o02": "unreadable"}
        assert await at.shown() == at.true
        at.provider.bend = lambda page: page
        at.pass_time(60)
        await at.run()
        assert await excepted(at) == {}


async def test_an_oversized_item_costs_no_other() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o05", 99)
        bent(at, "o02", order_id="o02", note="x" * 1_000_000)
        at.pass_time(5)
        run = await at.run()
        assert (run.state, run.appended) == ("done", 1)
        assert await at.shown() == at.true


async def test_an_item_from_the_future_does_not_win_for_ever() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.items["o02"] = Item(1_000, at.clock.now_us() + HOUR)
        at.provider.put("o05", 99)
        at.pass_time(5)
        run = await at.run()
        assert (run.state, run.deleted) == ("done", 0)
        assert (await at.shown())["o05"] == 99
        at.pass_time(60)
        at.provider.put("o02", 2_000)
        at.pass_time(5)
        await at.run()
        await at.scope.read_dirty()
        await at.carry()
        assert await at.shown() == at.true
        assert await excepted(at) == {}


@pytest.mark.parametrize("ahead", [HOUR, 3_000_000 * HOUR])
async def test_an_answer_from_the_future_does_not_win_for_ever(ahead: int) -> None:
    """Nor does its webhook, whose key is read at once, however far ahead it claims to be."""
    async with shop() as at:
        await filled(at)
        at.provider.items["o02"] = Item(1_000, at.clock.now_us() + ahead)
        await at.webhook("o02", id="w1")
        await at.carry()
        assert (await at.shown())["o02"] == 2
        at.pass_time(5)
        assert await at.scope.read_dirty() == 1
        await at.carry()
        assert (await at.shown())["o02"] == 1_000
        assert await excepted(at) == {}
        at.pass_time(60)
        at.provider.put("o02", 2_000)
        await at.webhook("o02", id="w2")
        await at.carry()
        assert await at.shown() == at.true


async def test_a_change_from_the_future_does_not_win_for_ever() -> None:
    async with shop(filters_by_change=True) as at:
        await filled(at)
        at.provider.items["o02"] = Item(1_000, at.clock.now_us() + HOUR)
        at.pass_time(5)
        assert (await at.run_changed()).appended == 1
        at.pass_time(60)
        at.provider.put("o02", 2_000)
        at.pass_time(5)
        assert (await at.run_changed()).appended == 1
        assert await at.shown() == at.true


async def test_a_stamp_is_believed_as_far_ahead_as_the_clocks_may_be_apart() -> None:
    async with shop(clock_skew=timedelta(seconds=30)) as at:
        await filled(at)
        at.provider.items["o02"] = Item(1_000, at.clock.now_us() + 30 * SECOND)
        await at.webhook("o02", id="w1")
        await at.carry()
        assert await excepted(at) == {}
        assert await at.shown() == at.true


class Reading:
    """The part of an adapter that makes rows."""

    @keyed_row("id")
    def row(self, item: Mapping[str, Any]) -> Row:
        return Row(key=item["id"], state={"amount": item["amount"]})

    @keyed_row(lambda item: item["of"]["id"])
    def nested(self, item: Mapping[str, Any]) -> Row:
        return Row(key=item["of"]["id"], state={"amount": item["amount"]})


def test_an_item_that_no_row_can_be_made_of_tells_its_key() -> None:
    assert Reading().row({"id": "o1", "amount": 1}) == Row(key="o1", state={"amount": 1})
    for row in (Reading().row({"id": "o1"}), Reading().nested({"of": {"id": "o1"}})):
        assert (row.key, row.unreadable) == ("o1", "KeyError: 'amount'")
    assert Reading().row({"id": 7}).key == "7"
    for nameless in ({}, {"id": None}, {"id": ["o1"]}, None, "o1"):
        row = Reading().row(nameless)  # type: ignore[arg-type]
        assert (row.key, bool(row.unreadable)) == ("", True)


def unread(at: Shop, name: str, **changed: object) -> None:
    """Have the adapter make no row of one item, of a page or alone."""

    def of(row: Row) -> Row:
        return replace(row, **{"state": {}, "version": None, "unreadable": "KeyError: 'amount'", **changed})

    def bend(page: Page) -> Page:
        return replace(page, rows=[of(row) if row.key == name else row for row in page.rows])

    def answer(asked: str, answer: Answer) -> Answer:
        return replace(answer, row=of(answer.row)) if asked == name and answer.row is not None else answer

    at.provider.bend, at.provider.answer = bend, answer


@pytest.mark.parametrize("place", ["o03", "o02", "o07"])  # the last of a page, inside of one, the last of all
@pytest.mark.parametrize("changed", [False, True])
async def test_an_item_that_no_row_can_be_made_of_is_excepted_and_costs_no_other(place: str, changed: bool) -> None:
    async with shop(filters_by_change=True) as at:
        await filled(at)
        before = (await at.scope.asof()).deletes or 0
        at.provider.put("o05", 99)
        at.provider.put(place, 100)
        unread(at, place)
        at.pass_time(5)
        run = await (at.run_changed() if changed else at.run())
        assert (run.state, run.unreadable, run.appended, run.deleted, code_of(run, in_flight=1)) == ("done", 1, 1, 0, 1)
        assert run.why == f"1 item cannot be read and is excepted, such as '{place}': KeyError: 'amount'"
        bounds = await at.scope.asof()
        assert ((bounds.upserts if changed else bounds.deletes) or 0) > before
        assert {each.key: each.reason for each in bounds.exceptions} == {place: "unreadable"}
        assert await at.shown() == {**at.true, place: int(place[1:])}
        at.provider.bend, at.provider.answer = (lambda page: page), (lambda key, answer: answer)
        at.pass_time(5)
        if changed:  # what has not changed since is read with the whole list
            assert ((await at.run_changed()).appended, list(await excepted(at))) == (0, [place])
        run = await at.run()
        assert (run.appended, run.why, await excepted(at)) == (1, "", {})
        assert await at.shown() == at.true


class ByAge(Orders):
    """An adapter of a list that is ordered by when items were made."""

    def read(self, event: Any, envelope: Envelope) -> Snapshot | Hint | None:
        said = super().read(event, envelope)
        return replace(said, order=age(said.key)) if isinstance(said, Snapshot) else said


def age(key: str) -> tuple[int, str]:
    return int(key[1:]), key


def by_age(page: Page) -> Page:
    return replace(page, rows=[replace(row, order=age(row.key)) for row in page.rows])


async def test_an_item_that_no_row_can_be_made_of_stands_where_it_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.reconciliation.shop.Orders", ByAge)
    async with shop(order=Order.CREATED) as at:
        at.provider.bend = by_age
        await filled(at)
        before = (await at.scope.asof()).deletes
        assert before is not None
        at.provider.put("o08", 8)  # of this one nobody here knows where it stands
        for key in ("o08", "o03"):
            unread(at, key, order=None)
            bend = at.provider.bend
            at.provider.bend = lambda page, bend=bend: bend(by_age(page))
            at.pass_time(5)
            run = await at.run()
            assert (run.state, run.unreadable, run.breaches, run.suspects) == ("done", 1, (), 0)
            bounds = await at.scope.asof()
            assert (bounds.deletes or 0) > before
            assert [each.key for each in bounds.exceptions] == [key]
            at.provider.bend = by_age
            await at.run()


async def test_an_item_without_a_key_has_the_bound_stand_still_and_the_run_says_why() -> None:
    async with shop(filters_by_change=True) as at:
        await filled(at)
        before = await at.scope.asof()
        at.provider.put("o05", 99)
        unread(at, "o02", key="")
        at.pass_time(5)
        run = await at.run()
        assert (run.state, run.appended, run.suspects, run.breaches) == ("done", 1, 0, ("key",))
        assert run.why == (
            "1 item listed without a key, so its page proves nothing, and both bounds stand still: KeyError: 'amount'"
        )
        after = await at.scope.asof()
        assert (after.upserts, after.deletes) == (before.upserts, before.deletes)
        assert await at.shown() == at.true
        at.provider.put("o02", 7)
        at.pass_time(5)
        run = await at.run_changed()
        assert (run.state, run.why) == (
            "incomplete",
            "1 item listed without a key, so its page proves nothing, and the bound of upserts stands still: "
            "KeyError: 'amount'",
        )


async def test_a_cursor_that_says_nothing_is_none() -> None:
    """It may be meant as the end of the list, or be the key of a last item that has none: nobody knows."""
    async with shop() as at:
        await filled(at)
        at.provider.bend = lambda page: replace(page, next_cursor="")
        run = await at.run()
        assert (run.state, run.suspects) == ("paused", 0)
        assert "'' is no cursor: None says that the list ends" in run.why


@pytest.mark.parametrize("is_gone", [False, True])
async def test_an_item_that_no_event_can_be_made_of_costs_no_other(is_gone: bool) -> None:
    async with shop() as at:
        await filled(at)
        before = (await at.scope.asof()).upserts or 0
        at.provider.put("o05", 99)
        at.provider.put("o02", 100)
        if is_gone:
            del at.provider.items["o02"]
        at.untold.add("o02")
        at.pass_time(5)
        run = await at.run()
        assert (run.state, run.appended, run.deleted) == ("done", 1, 0)
        assert ((await at.scope.asof()).upserts or 0) > before
        assert await excepted(at) == {"o02": "suspect" if is_gone else "unreadable"}
        at.untold.clear()
        at.pass_time(60)
        await at.run()
        assert await excepted(at) == {}
        assert await at.shown() == at.true


async def test_an_answer_that_no_row_can_be_made_of_excepts_its_key() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.items["o02"] = Item(1_000, at.clock.now_us() + HOUR)
        await at.webhook("o02", id="w1")  # of the future: it is read
        await at.carry()
        unread(at, "o02")
        at.pass_time(5)
        assert await at.scope.read_dirty() == 0
        assert await excepted(at) == {"o02": "unreadable"}
