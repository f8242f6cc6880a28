"""One scope against a provider that behaves as badly as providers do, on a clock by hand."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.reconciliation.declared import facts
from tests.unit.reconciliation.shop import SECOND, Item, Shop, shop
from tidings.cli.reconcile import code_of
from tidings.errors import (
    CursorExpiredError,
    NotAuthorisedError,
    ProviderUnavailableError,
    RateLimitedError,
    RefusedError,
)
from tidings.reconciliation.kept.records import Record
from tidings.reconciliation.listing import Page
from tidings.reconciliation.rules.facts import Capability, Paging
from tidings.reconciliation.rules.stamps import Stamps
from tidings.reconciliation.runs.holding import breached
from tidings.reconciliation.runs.reading import TRIES, Asking
from tidings.reconciliation.scope import Reconciliation

PERIOD = 60  # seconds: what counts as one where nothing runs by itself


async def filled(at: Shop, count: int = 10) -> None:
    for n in range(count):
        at.provider.put(f"o{n:02}", n)
    at.pass_time(10)
    run = await at.run()
    assert (run.state, await at.shown()) == ("done", at.true)
    at.pass_time(10)


async def test_first_run_is_dry() -> None:
    async with shop() as at:
        at.provider.put("o1", 1)
        at.pass_time(10)
        planned = await at.scope.run("run")
        await at.carry()
        assert (planned.is_dry, planned.proposed, planned.appended, await at.shown()) == (True, 1, 0, {})
        assert (await at.scope.asof()).upserts is None
        run = await at.scope.run("run")
        await at.carry()
        assert (run.is_dry, run.appended, await at.shown()) == (False, 1, at.true)


async def test_lost_changes_and_deletes_are_found_and_the_bounds_follow() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o03", 99)
        del at.provider.items["o05"]
        at.pass_time(5)
        before = at.clock.now_us()
        run = await at.run()
        assert (run.state, run.appended, run.deleted) == ("done", 2, 1)
        assert await at.shown() == at.true
        bounds = await at.scope.asof()
        assert bounds.upserts == bounds.deletes
        assert before - 4 * SECOND < (bounds.upserts or 0) < before
        assert {each.kind for each in await at.scope.findings(run=run.id)} == {"stale", "extra"}


async def test_a_second_run_finds_nothing() -> None:
    async with shop() as at:
        await filled(at)
        run = await at.run()
        assert (run.appended, run.equal, run.suspects) == (0, 10, 0)


async def test_late_event_at_the_floor_writes_nothing() -> None:
    async with shop() as at:
        await filled(at)
        old = at.provider.items["o03"]
        at.provider.items["o03"] = Item(77, old.changed)  # what an event says that was made before, and was lost
        await at.webhook("o03", id="late")
        at.provider.items["o03"] = old
        await at.carry()
        assert await at.shown() == at.true
        assert (await at.scope.record()).late == 1


async def test_a_repair_whose_event_comes_after_all_was_late_and_not_lost() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o03", 99)
        at.pass_time(5)
        await at.run()
        await at.webhook("o03", id="after-all")
        await at.carry()
        [found] = [each for each in await at.scope.findings() if each.kind == "stale"]
        assert found.cause == "late"


async def test_open_finding_is_the_base() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o03", 99)
        at.pass_time(5)
        assert (await at.scope.run("run", applies=True)).appended == 1  # and the copy has not taken it in yet
        at.pass_time(5)
        assert (await at.scope.run("run", applies=True)).appended == 0
        told = (await at.scope.asof()).upserts
        await at.carry()
        assert await at.shown() == at.true
        assert ((await at.scope.asof()).upserts or 0) > (told or 0)


async def test_an_item_that_is_gone_before_the_copy_has_taken_it_in_is_suspected_too() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o99", 99)
        at.pass_time(5)
        assert (await at.scope.run("run", applies=True)).appended == 1  # and the copy has not taken it in yet
        del at.provider.items["o99"]
        at.pass_time(5)
        assert (await at.scope.run("run", applies=True)).suspects == 1
        await at.carry()
        assert await at.shown() == at.true


async def test_proof_waits_for_every_open_finding() -> None:
    async with shop() as at:
        await filled(at)
        told = (await at.scope.asof()).upserts
        at.provider.put("o03", 99)
        at.pass_time(5)
        await at.scope.run("run", applies=True)
        assert (await at.scope.asof()).upserts == told
        await at.carry()
        assert ((await at.scope.asof()).upserts or 0) > (told or 0)


async def test_equal_version_other_content_marks_dirty() -> None:
    async with shop() as at:
        await filled(at)
        at.clock.move(at.clock.now_us() // SECOND * SECOND + SECOND)
        at.provider.put("o03", 50)
        await at.webhook("o03", id="one")
        at.provider.put("o03", 51)
        await at.webhook("o03", id="other")
        at.provider.put("o03", 52)
        await at.carry()
        assert (await at.scope.counts())["dirty"] == 1
        at.pass_time(5)  # it is read once its tick has closed
        assert await at.scope.read_dirty() == 1
        await at.carry()
        assert await at.shown() == at.true


async def test_future_version_becomes_dirty() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.items["o03"] = Item(1_000, at.clock.now_us() + 3_600 * SECOND)
        await at.webhook("o03", id="ahead")
        await at.carry()
        assert (await at.scope.counts())["dirty"] == 1
        assert (await at.shown())["o03"] == 3  # it would win for ever


async def test_empty_list_deletes_nothing() -> None:
    async with shop() as at:
        await filled(at, 30)
        told = (await at.scope.asof()).deletes
        at.provider.bend = lambda page: Page(rows=[], next_cursor=None, server_date=page.server_date)
        run = await at.run()
        assert (run.state, run.deleted, len(run.held)) == ("held", 0, 30)
        assert len(await at.shown()) == 30
        assert (await at.scope.asof()).deletes in (told, None)


async def test_an_empty_list_of_few_items_deletes_nothing_that_is_still_answered_for() -> None:
    async with shop() as at:
        await filled(at, 5)
        at.provider.bend = lambda page: Page(rows=[], next_cursor=None, server_date=page.server_date)
        run = await at.run()
        assert (run.deleted, run.omitted) == (0, 5)
        assert await at.shown() == at.true


async def test_partial_page_deletes_nothing() -> None:
    async with shop() as at:
        await filled(at, 8)
        at.provider.bend = lambda page: replace(page, rows=page.rows[:2])
        run = await at.run()
        assert (run.deleted, run.omitted) == (0, 4)
        assert await at.shown() == at.true


async def test_three_lies_in_a_week_make_a_list_prove_presence_only() -> None:
    async with shop() as at:
        await filled(at, 8)
        at.provider.bend = lambda page: replace(page, rows=page.rows[:2])  # each time four of eight are left out
        for _ in range(3):
            assert (await at.run()).presence_only == ""
            at.pass_time(60)
        at.provider.bend = lambda page: page
        told = (await at.scope.asof()).deletes
        at.pass_time(60)
        run = await at.run()
        assert run.presence_only == "omitted"
        assert (await at.scope.asof()).deletes == told


def redefined(at: Shop) -> Reconciliation:
    """Return the scope as a process has it whose adapter says that it lists something else."""
    found = at.other_process()
    found._running._beginning = copy(found._running._beginning)
    found._definition = found._running._beginning._definition = "another one"
    return found


async def test_a_list_that_has_lied_proves_presence_only_until_somebody_says_that_it_is_another_one() -> None:
    async with shop() as at:
        await filled(at, 8)
        at.provider.bend = lambda page: replace(page, rows=page.rows[:2])
        for _ in range(3):
            await at.run()
            at.pass_time(60)
        at.provider.bend = lambda page: page
        at.pass_time(30 * 86_400)
        assert (await at.run()).presence_only == "omitted"
        mended = redefined(at)
        for _ in range(2):
            assert (await mended.run("run", applies=True)).presence_only == ""
            at.pass_time(60)
        assert (await mended.asof()).deletes is not None


async def test_no_run_of_another_definition_is_approved() -> None:
    async with shop() as at:
        await filled(at, 40)
        for number in range(30):
            del at.provider.items[f"o{number:02}"]
        at.pass_time(60)
        held = await at.run()
        assert held.state == "held"
        with pytest.raises(RefusedError, match="another adapter, account or view"):
            await redefined(at).approval(held.id, at_most=30)


async def test_what_a_list_of_presence_only_does_not_show_is_asked_for() -> None:
    async with shop(paging=Paging.OFFSET) as at:
        await filled(at, 8)
        del at.provider.items["o03"]
        at.pass_time(5)
        run = await at.run()
        assert (run.suspects, run.deleted) == (1, 1)
        assert await at.shown() == at.true


async def test_control_read_failure_voids_the_group() -> None:
    async with shop() as at:
        await filled(at, 8)
        del at.provider.items["o03"]
        at.provider.answer = lambda key, answer: replace(answer, row=None)  # of everything it says that it is gone
        run = await at.run()
        assert (run.deleted, (await at.scope.asof()).exceptions[0].key) == (0, "o03")
        at.provider.answer = lambda key, answer: answer
        at.pass_time(5)
        assert (await at.run()).deleted == 1
        assert await at.shown() == at.true


async def test_single_entity_needs_two_answers() -> None:
    async with shop() as at:
        await filled(at, 1)
        at.provider.items.clear()
        assert (await at.run()).deleted == 0
        [since] = [each.since for each in (await at.scope.asof()).exceptions]
        told = (await at.scope.asof()).deletes or 0
        at.pass_time(10)
        assert (await at.run()).deleted == 0  # it is said once more, and too soon
        assert ([each.since for each in (await at.scope.asof()).exceptions], await at.shown()) == ([since], {"o00": 0})
        at.pass_time(PERIOD)
        run = await at.run()
        assert (run.state, run.deleted, run.open_suspects, await at.shown()) == ("done", 1, 0, {})
        bounds = await at.scope.asof()
        assert (bounds.exceptions, (bounds.deletes or 0) > told) == ((), True)


async def test_a_first_answer_counts_no_more_once_something_has_shown_the_item() -> None:
    async with shop() as at:
        await filled(at, 1)
        at.provider.items.clear()
        assert (await at.run()).open_suspects == 1
        at.pass_time(10)
        at.provider.put("o00", 7)
        at.pass_time(10)
        await at.webhook("o00", id="back")
        await at.carry()
        at.provider.items.clear()
        at.pass_time(PERIOD)
        assert ((await at.run()).deleted, await at.shown()) == (0, {"o00": 7})
        at.pass_time(PERIOD)
        assert ((await at.run()).deleted, await at.shown()) == (1, {})


async def test_an_item_asked_for_alone_is_gone_by_its_second_answer_where_no_other_is_there() -> None:
    async with shop() as at:
        await filled(at, 1)
        at.provider.items.clear()
        await at.run()
        early = await at.scope.run_key("o00")
        assert (early.state, early.deleted) == ("incomplete", 0)
        assert "no other item is there" in early.why
        at.pass_time(PERIOD)
        late = await at.scope.run_key("o00")
        await at.carry()
        assert (late.state, late.deleted, await at.shown()) == ("done", 1, {})


async def test_approving_that_all_is_gone_takes_two_answers_and_says_so() -> None:
    async with shop() as at:
        await filled(at, 30)
        at.provider.items.clear()
        at.pass_time(10)
        held = await at.run()
        first = await at.scope.approve(held.id, at_most=30)
        assert (first.state, first.deleted, len(first.held), code_of(first)) == ("held", 0, 30, 1)
        assert "approve it once more" in first.why
        at.pass_time(PERIOD)
        assert (await at.run()).state == "held"  # of itself it asks for none of so many
        second = await at.scope.approve(first.id, at_most=30)
        await at.carry()
        assert (second.state, second.deleted, await at.shown()) == ("done", 30, {})


@pytest.mark.parametrize("error", [NotAuthorisedError(), ProviderUnavailableError("502"), ValueError("<html>")])
async def test_401_is_never_absence(error: Exception) -> None:
    async with shop() as at:
        await filled(at, 8)
        del at.provider.items["o03"]

        def trouble(what: str) -> None:
            if what == "get":
                raise error

        at.provider.trouble = trouble
        run = await at.run()
        assert run.deleted == 0
        assert "o03" in await at.shown()


async def test_held_run_is_not_green_and_applies_upserts() -> None:
    async with shop() as at:
        await filled(at, 30)
        for n in range(15):
            del at.provider.items[f"o{n:02}"]
        at.provider.put("o20", 99)
        at.pass_time(5)
        run = await at.run()
        assert (run.state, run.deleted, len(run.held)) == ("held", 0, 15)
        assert (await at.shown())["o20"] == 99


async def test_approval_is_a_ceiling_on_count_and_keys() -> None:
    async with shop() as at:
        await filled(at, 30)
        for n in range(15):
            del at.provider.items[f"o{n:02}"]
        at.pass_time(5)
        held = await at.run()
        with pytest.raises(RefusedError, match="15 deletes, more than 14"):
            await at.scope.approve(held.id, at_most=14)
        del at.provider.items["o29"]  # nobody approved this one
        at.pass_time(5)
        again = await at.scope.approve(held.id, at_most=20)
        await at.carry()
        assert (again.state, again.deleted, again.held) == ("held", 15, ("o29",))
        assert again.why == "1 more item not listed, which nobody has approved: o29"
        assert await at.shown() == {**at.true, "o29": 29}
        approved = await at.scope.approve(again.id, at_most=1)
        await at.carry()
        assert (approved.state, approved.deleted) == ("done", 1)
        assert await at.shown() == at.true
        with pytest.raises(RefusedError, match=f"it was approved: see the run {approved.id}"):
            await at.scope.approve(again.id, at_most=1)


async def test_creeping_wipe_trips_the_24h_breaker() -> None:
    async with shop() as at:
        await filled(at, 40)
        states = []
        for n in range(0, 40, 4):
            for each in range(n, n + 4):
                del at.provider.items[f"o{each:02}"]
            at.pass_time(60)
            states.append((await at.run()).state)
        assert states[:2] == ["done", "done"]
        assert set(states[3:]) == {"held"}
        assert len(await at.shown()) >= 28


async def test_short_and_empty_pages() -> None:
    async with shop() as at:
        await filled(at, 8)
        cursors = iter(["after:", "after:!"])

        def bend(page: Page) -> Page:
            cursor = next(cursors, None)  # the first page comes empty twice, each time with where to go on
            return page if cursor is None else Page(rows=[], next_cursor=cursor, server_date=page.server_date)

        at.provider.bend = bend
        run = await at.run()
        assert (run.state, run.suspects, run.deleted, run.pages, run.rows) == ("done", 0, 0, 4, 8)


async def test_cursor_expiry_seeks_or_restarts() -> None:
    for seekable in (True, False):
        async with shop(seekable=seekable) as at:
            await filled(at, 12)
            calls = iter(range(100))

            def trouble(what: str, calls: object = calls) -> None:
                if what == "list" and next(calls) == 1:  # type: ignore[call-overload]
                    raise CursorExpiredError

            at.provider.trouble = trouble
            run = await at.run()
            assert (run.state, run.restarts, run.deleted) == ("done", 0 if seekable else 1, 0)


async def test_cursors_that_expire_now_and_then_are_gone_on_from_as_often_as_that_is() -> None:
    async with shop() as at:
        await filled(at, 40)
        calls = iter(range(100))

        def trouble(what: str) -> None:
            if what == "list" and next(calls) % 3 == 2:
                raise CursorExpiredError

        at.provider.trouble = trouble
        run = await at.run()
        assert (run.state, run.pages) == ("done", 10)


async def test_cursors_that_expire_too_fast_fail_the_run() -> None:
    async with shop() as at:
        await filled(at, 12)

        def trouble(what: str) -> None:
            if what == "list":
                raise CursorExpiredError

        at.provider.trouble = trouble
        run = await at.run()
        assert (run.state, run.breaches) == ("failed", ("cursor_expires_too_fast",))


async def test_order_drift_downgrades_to_presence_only() -> None:
    async with shop() as at:
        await filled(at, 12)
        told = (await at.scope.asof()).deletes
        at.pass_time(60)
        at.provider.bend = lambda page: replace(page, rows=page.rows[::-1])
        run = await at.run()
        assert (run.presence_only, run.deleted, run.breaches) == ("drift", 0, ("order",))
        assert (await at.scope.asof()).deletes == told


async def test_page_loop_aborts() -> None:
    async with shop() as at:
        await filled(at, 12)
        at.provider.bend = lambda page: replace(page, next_cursor="after:")
        run = await at.run()
        assert (run.state, run.why) == ("failed", "the cursors go round in circles")


async def test_a_loop_of_any_length_aborts() -> None:
    async with shop() as at:
        await filled(at, 240)
        began = at.provider.listed

        def bend(page: Page) -> Page:
            assert at.provider.listed - began <= 3 * 60
            return replace(page, next_cursor=page.next_cursor or "after:o03")

        at.provider.bend = bend
        run = await at.run()
        assert (run.state, run.breaches) == ("failed", ("order", "cursor"))


async def test_troubles_in_the_middle_are_waited_out_and_the_same_page_is_read_again() -> None:
    async with shop() as at:
        await filled(at, 12)
        at.provider.put("o11", 99)
        at.pass_time(5)
        errors = iter(
            [None, RateLimitedError(timedelta(seconds=30)), ProviderUnavailableError("500"), ValueError("<h1>")]
        )

        def trouble(what: str) -> None:
            error = next(errors, None)
            if error is not None:
                raise error

        at.provider.trouble = trouble
        began = at.clock.now_us()
        run = await at.run()
        assert (run.state, run.appended) == ("done", 1)
        assert at.clock.now_us() - began >= 30 * SECOND
        assert await at.shown() == at.true


@pytest.mark.parametrize("error", [ProviderUnavailableError("503"), RateLimitedError(timedelta(seconds=1))])
async def test_resume_after_days(error: Exception) -> None:
    async with shop() as at:
        await filled(at, 12)
        pages = iter([False, *[True] * 5])

        def trouble(what: str) -> None:
            if next(pages, False):
                raise error

        at.provider.trouble = trouble
        paused = await at.run()
        assert (paused.state, paused.pages) == ("paused", 1)
        at.pass_time(3 * 86_400)
        run = await at.run()
        assert (run.id, run.state, run.pages) == (paused.id, "done", 3)


async def test_a_date_header_that_jumps_is_no_read() -> None:
    async with shop() as at:
        await filled(at, 12)
        told = (await at.scope.asof()).upserts
        at.provider.skew = 86_400 * SECOND
        run = await at.run()
        assert (run.state, run.breaches) == ("paused", ("clock",))
        assert (await at.scope.asof()).upserts == told
        assert [fact for fact, _ in (await at.scope.record()).breaches] == ["clock"] * TRIES


async def test_one_date_that_jumps_is_told_and_its_page_read_again() -> None:
    async with shop() as at:
        await filled(at, 12)
        seen: list[str] = []

        def trouble(what: str) -> None:
            seen.append(what)
            at.provider.skew = -3_600 * SECOND if len(seen) == 2 else 0

        at.provider.trouble = trouble
        run = await at.run()
        assert (run.state, run.breaches, run.pages, len(seen)) == ("done", ("clock",), 3, 4)


async def test_an_answer_whose_date_jumps_deletes_nothing() -> None:
    async with shop() as at:
        await filled(at, 8)
        del at.provider.items["o03"]
        at.pass_time(10)

        def trouble(what: str) -> None:
            at.provider.skew = 3_600 * SECOND if what == "get" else 0

        at.provider.trouble = trouble
        assert (await at.run()).deleted == 0
        assert [fact for fact, _ in (await at.scope.record()).breaches] == ["clock"]
        at.provider.trouble, at.provider.skew = lambda what: None, 0
        at.pass_time(10)
        assert (await at.run()).deleted == 1


def test_many_breaches_of_one_fact_hide_no_other() -> None:
    record = breached(Record(), "omitted", 1)
    for at in range(100):
        record = breached(record, "clock", at)
    assert record.breaches[0] == ("omitted", 1)
    assert [at for fact, at in record.breaches if fact == "clock"] == list(range(80, 100))


async def test_a_later_read_of_another_process_proves_no_less() -> None:
    async with shop() as at:
        await filled(at)
        first = await at.run()

        def slow(page: Page) -> Page:
            at.pass_time(30)  # on its way back, so that nobody knows when it was made
            return page

        at.provider.bend = slow
        other = at.other_process()
        other._running._asking = Asking(
            at.scope.scope.listing, at.scope.budget, Stamps(facts()), other._running._holding
        )
        second = await other.run("run", applies=True)
        assert second.first_as_of == first.first_as_of


async def test_what_was_proved_before_a_provider_set_its_clock_is_no_measure() -> None:
    async with shop() as at:
        await filled(at)
        before = (await at.scope.record()).least
        at.provider.skew = -3_600 * SECOND
        while (await at.run()).state == "paused":
            at.pass_time(60)
        assert 0 < (await at.scope.record()).least < before


async def test_an_item_that_the_copy_cannot_hold_costs_no_other_item() -> None:
    async with shop() as at:
        await filled(at, 8)
        at.provider.put("o05", 99)
        at.pass_time(5)

        def bend(page: Page) -> Page:
            rows = [replace(row, state={"order_id": row.key}) if row.key == "o02" else row for row in page.rows]
            return replace(page, rows=rows)

        at.provider.bend = bend
        run = await at.run()
        assert (run.unreadable, run.deleted, run.appended) == (1, 0, 1)
        assert await at.shown() == at.true


async def test_a_total_that_does_not_match_makes_the_run_incomplete() -> None:
    async with shop() as at:
        await filled(at, 8)
        at.provider.bend = lambda page: replace(page, total=9)
        run = await at.run()
        assert (run.state, run.why) == ("incomplete", "the provider counts 9 items and has listed 8")


async def test_a_total_counts_each_row_that_is_listed() -> None:
    """Whether somebody can read it, and also if it is marked as gone."""
    async with shop() as at:
        await filled(at, 8)

        def bend(page: Page) -> Page:
            rows = [replace(row, state={}) if row.key == "o03" else row for row in page.rows]
            rows = [replace(row, gone=True) if row.key == "o05" else row for row in rows]
            return replace(page, rows=rows, total=8)

        at.provider.bend = bend
        assert (await at.run()).state == "done"


async def test_what_was_told_to_be_known_of_an_item_that_never_was_here_is_found_false() -> None:
    async with shop() as at:
        await filled(at, 8)
        at.provider.put("o03x", 77)
        at.pass_time(10)
        at.provider.bend = lambda page: replace(page, rows=[row for row in page.rows if row.key != "o03x"])
        await at.run()
        at.provider.bend = lambda page: page
        at.pass_time(10)
        run = await at.run()
        assert {each.kind for each in await at.scope.findings(run=run.id)} == {"missing", "asof_false"}
        assert (await at.scope.record()).violations == 1


async def test_a_page_with_a_row_without_a_key_answers_no_suspicion_but_of_what_it_shows() -> None:
    async with shop() as at:
        await filled(at, 8)

        def trouble(what: str) -> None:
            if what == "get":
                raise ProviderUnavailableError("503")

        at.provider.trouble = trouble
        hidden = {"o01", "o03"}

        def bend(page: Page) -> Page:
            rows = [replace(row, key="") if row.key == nameless else row for row in page.rows]
            return replace(page, rows=[row for row in rows if row.key not in hidden])

        nameless, at.provider.bend = "", bend
        at.pass_time(10)
        await at.run()
        assert {each.key for each in (await at.scope.asof()).exceptions} == hidden
        hidden, nameless = {"o01"}, "o02"
        at.pass_time(10)
        await at.run()
        assert {each.key for each in (await at.scope.asof()).exceptions} == {"o01"}


async def test_offset_paging_proves_presence_only() -> None:
    async with shop(paging=Paging.OFFSET) as at:
        for n in range(8):
            at.provider.put(f"o{n:02}", n)
        at.pass_time(10)
        run = await at.run()
        assert (run.presence_only, await at.shown() == at.true) == ("paging", True)
        assert (await at.scope.asof()).upserts is None


async def test_second_owner_is_fenced() -> None:
    async with shop() as at:
        await filled(at, 12)
        other = at.other_process()
        found: list[BaseException] = []

        async def intrude() -> None:
            try:
                await other.run("run", applies=True)
            except RefusedError as error:
                found.append(error)

        at.provider.before = intrude
        run = await at.run()
        assert (run.state, len(found)) == ("done", 1)
        assert "another process" in str(found[0])


async def test_whoever_lost_the_lease_writes_nothing_more() -> None:
    async with shop() as at:
        await filled(at, 12)
        other = at.other_process()

        async def take_over() -> None:
            at.clock.move(at.clock.now_us() + 120 * SECOND)  # this process stood still for longer than the lease
            await other.run("run", applies=True)

        at.provider.before = take_over
        at.provider.put("o11", 99)
        at.pass_time(5)
        run = await at.run()
        assert run.state == "running"  # it knows no better
        assert [each.state for each in await at.scope.runs(limit=2)] == ["done", "done"]
        assert sum(each.appended for each in await at.scope.runs()) == 13
        assert await at.shown() == at.true


async def test_event_timed_items_take_the_time_of_the_read() -> None:
    async with shop(capability=Capability.EVENT_TIMED) as at:
        await filled(at, 8)
        at.provider.put("o03", 99)
        del at.provider.items["o05"]
        at.pass_time(5)
        run = await at.run()
        assert (run.appended, run.deleted, await at.shown() == at.true) == (2, 1, True)


async def test_bare_items_are_read_when_something_hints_at_them() -> None:
    async with shop(capability=Capability.BARE) as at:
        await filled(at, 8)
        at.provider.put("o03", 99)
        await at.webhook("o03", id="hint")
        await at.carry()
        assert (await at.shown())["o03"] == 3
        assert await at.scope.read_dirty() == 1
        await at.carry()
        assert await at.shown() == at.true


async def test_a_later_answer_of_an_item_that_was_gone_brings_it_back() -> None:
    async with shop() as at:
        await filled(at, 8)
        del at.provider.items["o05"]
        at.pass_time(5)
        await at.run()
        at.pass_time(5)
        at.provider.put("o05", 500)
        at.pass_time(5)
        await at.run()
        assert await at.shown() == at.true
