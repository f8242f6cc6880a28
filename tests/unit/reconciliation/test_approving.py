"""More items are held than can be named: what was shown is approved, and nothing that has come to be missing since."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tests.unit.reconciliation.shop import Shop, shop
from tests.unit.reconciliation.test_stopping import filled
from tidings.cli.reconcile import code_of
from tidings.errors import RefusedError
from tidings.faces.scopes import run_line, run_object
from tidings.reconciliation.kept import suspecting
from tidings.reconciliation.kept.records import HELD_NAMED, Run
from tidings.reconciliation.kept.suspecting import named
from tidings.reconciliation.listing import Page


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspecting, "HELD_NAMED", 10)


def gone(at: Shop, *numbers: int) -> None:
    for n in numbers:
        del at.provider.items[f"o{n:04}"]


async def ran(at: Shop) -> Run:
    at.pass_time(60)
    run = await at.run()
    assert isinstance(run, Run)
    return run


async def approved(at: Shop, run: Run, *, at_most: int) -> Run:
    at.pass_time(60)
    done = await at.scope.approve(run.id, at_most=at_most)
    await at.carry()
    return done


async def test_more_items_than_are_named_are_approved_together() -> None:
    assert HELD_NAMED == 1_000
    async with shop() as at:
        await filled(at, 60)
        gone(at, *range(30))
        run = await ran(at)
        assert (run.state, len(run.held), run.held_count) == ("held", 10, 30)
        shown = run_object(run, "till-orders")
        assert (len(shown["held"]), shown["held_count"]) == (10, 30)
        assert named(shown["held"], count=30).endswith("o0008, o0009 and 20 more")
        assert "30 held" in run_line(run, "till-orders", [], now=0)
        with pytest.raises(RefusedError, match="30 deletes, more than 29"):
            await at.scope.approve(run.id, at_most=29)
        done = await approved(at, run, at_most=30)
        assert (done.state, done.deleted, code_of(done)) == ("done", 30, 1)
        assert await at.shown() == at.true


async def test_what_is_missing_since_it_was_shown_stays_held_and_so_does_what_was_listed_meanwhile() -> None:
    async with shop() as at:
        await filled(at, 60)
        gone(at, *range(30))
        run = await ran(at)
        at.provider.put("o0003", 3)
        assert (await ran(at)).held_count == 29  # as many are held, but for one that is listed again
        gone(at, 3, 40)
        done = await approved(at, run, at_most=30)
        assert (done.state, done.deleted, done.held) == ("held", 29, ("o0003", "o0040"))
        assert done.why == "2 more items not listed, which nobody has approved: o0003, o0040"
        assert sorted(await at.shown()) == sorted([*at.true, "o0003", "o0040"])
        last = await approved(at, done, at_most=2)
        assert (last.state, last.deleted) == ("done", 2)
        assert await at.shown() == at.true


async def test_an_approval_that_was_stopped_goes_on_with_what_was_approved() -> None:
    async with shop() as at:
        await filled(at, 60)
        gone(at, *range(30))
        run = await ran(at)
        gone(at, 40)
        at.pass_time(60)
        for key, answered in ((None, 0), ("o0022", 20)):  # killed in its list, and in its second group
            at.provider.trouble = stopped_at(at, key)
            with pytest.raises(KeyboardInterrupt):
                await at.scope.approve(run.id, at_most=30)
            at.provider.trouble = lambda what: None
            kept = await at.scope.find((await at.scope.record()).run)
            assert kept is not None
            assert (kept.state, kept.deleted) == ("running", answered)
        done = await approved(at, run, at_most=30)
        assert (done.state, done.deleted, done.held) == ("held", 30, ("o0040",))


def stopped_at(at: Shop, key: str | None) -> Callable[[str], None]:
    """Have the process end as it lists, or asks for this item."""

    def trouble(what: str) -> None:
        if (key is None and what == "list" and at.provider.listed % 7 == 0) or (
            key is not None and what == "get" and at.provider.asked[-1] == key
        ):
            raise KeyboardInterrupt

    return trouble


async def test_what_a_list_that_lost_its_order_holds_cannot_be_approved_unnamed() -> None:
    async with shop() as at:
        await filled(at, 60)
        gone(at, *range(30))

        def bend(page: Page) -> Page:
            rows: Mapping[str, object] = {row.key: row for row in page.rows}
            return (
                page
                if "o0059" not in rows
                else Page(rows=page.rows[::-1], next_cursor=page.next_cursor, server_date=page.server_date)
            )

        at.provider.bend = bend
        run = await ran(at)
        assert (run.state, run.held_count, run.breaches) == ("held", 30, ("order",))
        with pytest.raises(RefusedError, match="lost its order"):
            await at.scope.approve(run.id, at_most=30)
