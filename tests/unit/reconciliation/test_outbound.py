"""What was sent to an endpoint against what its receiver lists, on a clock by hand."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import structs

from tests.unit.reconciliation.declared import facts
from tests.unit.reconciliation.receiver import DEAD, DELIVERED, Receiver, Sender, Taken, sender
from tests.unit.reconciliation.shop import SECOND
from tidings import App, DeclarationError, Service
from tidings.app.reconciling import Schedule
from tidings.cli.reconcile import code_of
from tidings.errors import NotAuthorisedError, RefusedError
from tidings.faces.scopes import KINDS, finding_object
from tidings.ports import Ports
from tidings.reconciliation.kept.records import Mode
from tidings.reconciliation.listing import Answer, Page
from tidings.reconciliation.outbound import noting
from tidings.reconciliation.rules.facts import Capability, Order, Paging
from tidings.testing.clock import StandingClock

HOUR_US = 3_600 * SECOND


async def kinds(at: Sender, run: str) -> list[tuple[str, str]]:
    """Return kind and key of what a run found."""
    return [(each.kind, each.key) for each in await at.scope.findings(run=run)]


async def test_first_run_is_dry() -> None:
    async with sender() as at:
        await at.sent(6)
        del at.receiver.taken[at.ids[2]]
        planned = await at.scope.run("run")
        assert (planned.is_dry, planned.proposed, planned.appended, code_of(planned)) == (True, 1, 0, 1)
        assert await kinds(at, planned.id) == [("delivery_lost", at.ids[2])]
        assert await at.post() == 0
        assert (await at.scope.asof()).deletes is None
        run = await at.scope.run("run")
        assert (run.is_dry, run.appended) == (False, 1)


async def test_lost_delivery_is_pushed_with_the_same_key() -> None:
    async with sender() as at:
        await at.sent(10)
        del at.receiver.taken[at.ids[3]]
        run = await at.run()
        assert (run.state, run.rows, run.equal, run.appended, run.deleted, code_of(run)) == ("done", 9, 9, 1, 0, 1)
        assert await kinds(at, run.id) == [("delivery_lost", at.ids[3])]
        assert await at.post() == 1
        assert at.receiver.posts[10:] == [at.ids[3]]
        at.pass_time(60)
        again = await at.run()
        assert (again.equal, again.appended, code_of(again)) == (10, 0, 0)
        [found] = [finding_object(each, now=at.clock.now_us(), values=False) for each in await at.scope.findings()]
        assert (found["state"], found["cause"], found["in_flight"]) == ("merged", "provider", False)


async def test_what_is_lost_twice_is_sent_twice_more_and_each_time_once() -> None:
    async with sender() as at:
        await at.sent(10)
        for _ in range(2):
            del at.receiver.taken[at.ids[3]]
            assert (await at.run()).suspects == 1
            at.pass_time(60)
            assert (await at.run()).suspects == 0  # it is under way
            assert await at.post() == 1
            at.pass_time(60)
        assert (await at.run()).appended == 0
        assert len(await at.scope.findings()) == 2


async def test_pending_delivery_is_not_judged() -> None:
    async with sender() as at:
        await at.sent(10)
        await at.publish(20, 21)
        later = structs.replace(DELIVERED, state="due", outcome="http-500", next_at=at.clock.now_us() + HOUR_US)
        assert await at.post(is_taken=False, limit=1, result=later) == 1
        at.pass_time(30)
        run = await at.run()
        assert (run.appended, run.suspects, await kinds(at, run.id)) == (0, 0, [])
        assert at.receiver.asked == []


async def test_what_closed_after_the_list_was_made_is_not_judged() -> None:
    async with sender() as at:
        await at.sent(10)

        async def lose_more() -> None:
            await at.publish(20)
            await at.post(is_taken=False)  # the list that is being read was made before

        at.receiver.before = lose_more
        assert (await at.run()).appended == 0
        young = await at.run()
        assert (young.appended, young.suspects) == (0, 0)  # what closed a moment ago may not be listed yet
        at.pass_time(60)
        assert (await at.run()).appended == 1


async def test_another_body_under_an_id_is_a_conflict_and_nothing_is_sent() -> None:
    async with sender() as at:
        await at.sent(10)
        at.receiver.taken[at.ids[4]] = bytes(32)
        for _ in range(2):
            run = await at.run()
            assert (run.state, run.appended, run.asked, code_of(run)) == ("done", 0, 1, 1)
            assert await kinds(at, run.id) == [("conflict", at.ids[4])]
        bounds = await at.scope.asof()
        assert bounds.deletes is not None
        assert [(each.key, each.reason) for each in bounds.exceptions] == [(at.ids[4], "conflict")]
        assert (await at.post(), (await at.scope.record()).corrections) == (0, {})
        at.receiver.take(at.ids[4], b"e4")
        run = await at.run()
        assert (run.asked, run.equal, (await at.scope.asof()).exceptions) == (0, 10, ())


async def test_ids_alone_are_compared_where_a_receiver_tells_no_hash() -> None:
    async with sender() as at:
        await at.sent(10)
        at.receiver.tells_hash = False
        at.receiver.taken[at.ids[4]] = bytes(32)
        del at.receiver.taken[at.ids[5]]
        run = await at.run()
        assert await kinds(at, run.id) == [("delivery_lost", at.ids[5])]


async def test_what_was_given_up_here_and_is_there_is_delivered_and_its_subject_goes_on() -> None:
    async with sender(endpoint={"ordering": "key"}) as at:
        await at.publish(1, 2, subject="o1")
        await at.post(result=DEAD)  # it was taken, and no answer came
        assert set((await at.states()).values()) == {"dead"}
        at.pass_time(60)
        run = await at.run()
        assert (run.appended, await kinds(at, run.id)) == (1, [("unexpected", at.ids[1])])
        assert sorted((await at.states()).values()) == ["delivered", "due"]
        assert await at.post() == 1
        at.pass_time(60)
        run = await at.run()
        assert (run.appended, run.equal) == (0, 2)


async def test_what_was_given_up_here_and_is_not_there_is_as_it_was() -> None:
    async with sender() as at:
        await at.sent(5)
        await at.publish(7)
        await at.post(result=DEAD, is_taken=False)
        at.pass_time(60)
        run = await at.run()
        assert (run.appended, run.equal, (await at.states())["till:6"]) == (0, 5, "dead")


async def test_empty_list_sends_nothing_again_until_somebody_approves() -> None:
    async with sender() as at:
        await at.sent(30)
        at.receiver.bend = lambda page: Page(rows=[], next_cursor=None, server_date=page.server_date)
        held = await at.run()
        assert (held.state, len(held.held), held.appended, code_of(held)) == ("held", 30, 0, 1)
        assert held.why == "30 items are not listed, and 0 were sent again today: more than 10"
        assert await at.post() == 0
        assert (await at.scope.asof()).deletes is None
        at.receiver.bend = lambda page: page
        kept = dict(list(at.receiver.taken.items())[:15])
        at.receiver.taken = kept
        with pytest.raises(RefusedError, match="holds 30 repeats, more than 20"):
            await at.scope.approve(held.id, at_most=20)
        run = await at.scope.approve(held.id, at_most=30)
        assert (run.state, run.appended) == ("done", 15)
        assert await at.post() == 15
        assert at.receiver.taken.keys() == set(at.ids.values())


async def test_as_much_is_sent_again_in_a_day_as_one_run_may() -> None:
    async with sender() as at:
        await at.sent(40)
        for n in range(3):
            for one in range(5):
                del at.receiver.taken[at.ids[5 * n + one]]
            run = await at.run()
            await at.post()
            at.pass_time(60)
        assert (run.state, len(run.held)) == ("held", 5)


async def test_what_a_list_left_out_is_asked_for_and_not_sent_again() -> None:
    async with sender() as at:
        await at.sent(10)
        at.receiver.bend = lambda page: replace(page, rows=page.rows[:-1])
        run = await at.run()
        assert (run.state, run.appended, run.omitted, run.breaches) == ("done", 0, 3, ("omitted",))
        assert len(at.receiver.asked) == 4  # each of them, and one that is listed
        assert await at.post() == 0


async def test_a_receiver_that_knows_nothing_any_more_is_not_believed() -> None:
    async with sender() as at:
        await at.sent(10)
        del at.receiver.taken[at.ids[3]]
        at.receiver.answer = lambda key, answer: Answer(row=None, server_date=answer.server_date)
        run = await at.run()
        assert (run.appended, [each.reason for each in (await at.scope.asof()).exceptions]) == (0, ["suspect"])


async def test_401_is_never_absence() -> None:
    async with sender() as at:
        await at.sent(10)

        async def refuse() -> None:
            raise NotAuthorisedError

        at.receiver.before = refuse
        run = await at.run()
        assert (run.state, run.appended, code_of(run)) == ("failed", 0, 2)


async def test_bound_waits_until_what_was_lost_is_there_again() -> None:
    async with sender() as at:
        await at.sent(10)
        await at.run()
        first = (await at.scope.asof()).deletes
        assert first is not None
        assert first <= at.clock.now_us() - 10 * SECOND
        del at.receiver.taken[at.ids[3]]
        at.pass_time(60)
        await at.run()
        at.pass_time(60)
        await at.run()
        assert (await at.scope.asof()).deletes == first
        await at.post()
        at.pass_time(60)
        await at.run()
        bounds = await at.scope.asof()
        assert bounds.deletes is not None
        assert bounds.deletes > first
        assert bounds.upserts == bounds.deletes


async def test_what_is_sent_again_in_vain_is_an_exception_until_it_is_redriven() -> None:
    async with sender() as at:
        await at.sent(10)
        del at.receiver.taken[at.ids[3]]
        await at.run()
        assert await at.post(result=DEAD, is_taken=False) == 1
        for _ in range(2):
            at.pass_time(60)
            assert (await at.run()).appended == 0
        bounds = await at.scope.asof()
        assert bounds.deletes is not None
        assert [(each.key, each.reason) for each in bounds.exceptions] == [(at.ids[3], "parked")]
        [dead] = [key for key, state in (await at.states()).items() if state == "dead"]
        await at.opened.store.retry_delivery(dead, at=at.clock.now_us())
        assert await at.post() == 1
        at.pass_time(60)
        run = await at.run()
        assert (run.equal, (await at.scope.asof()).exceptions) == (10, ())
        assert [each.state for each in await at.scope.findings()] == ["merged"]


async def test_what_somebody_cancels_is_not_sent_again() -> None:
    async with sender() as at:
        await at.sent(10)
        del at.receiver.taken[at.ids[3]]
        await at.run()
        [due] = [key for key, state in (await at.states()).items() if state == "due"]
        await at.opened.store.cancel_delivery(due, at=at.clock.now_us())
        for _ in range(2):
            at.pass_time(60)
            assert (await at.run()).appended == 0
        assert [each.state for each in await at.scope.findings()] == ["waived"]
        assert (await at.scope.record()).live == 9


async def test_only_what_was_delivered_within_the_window_is_compared() -> None:
    async with sender(window=timedelta(hours=1)) as at:
        await at.sent(10)
        assert (await at.run()).equal == 10
        at.pass_time(3_000)
        await at.publish(*range(10, 15))
        await at.post()
        at.pass_time(1_000)
        for n in range(10):
            del at.receiver.taken[at.ids[n]]
        run = await at.run()
        assert (run.state, run.equal, run.appended, (await at.scope.record()).live) == ("done", 5, 0, 5)


async def test_a_list_by_time_finds_what_is_lost_and_proves_what_was_there_at_its_start() -> None:
    async with sender(order=Order.CREATED) as at:
        await at.sent(10)
        del at.receiver.taken[at.ids[3]]
        run = await at.run()
        assert (run.state, run.presence_only, run.equal, run.appended, run.breaches) == ("done", "order", 9, 1, ())
        assert (await at.scope.asof()).deletes is None
        assert await at.post() == 1
        at.pass_time(60)
        run = await at.run()
        assert (run.equal, run.appended, run.suspects) == (10, 0, 0)
        bound = (await at.scope.asof()).deletes
        assert bound is not None
        assert at.clock.now_us() - 20 * SECOND < bound <= at.clock.now_us() - 10 * SECOND


async def test_a_list_that_moves_between_pages_proves_nothing() -> None:
    async with sender(order=Order.CREATED, paging=Paging.OFFSET) as at:
        await at.sent(10)
        run = await at.run()
        assert (run.state, run.presence_only, run.equal, (await at.scope.asof()).deletes) == (
            "done",
            "paging",
            10,
            None,
        )


async def test_a_run_that_is_stopped_behind_its_list_goes_on_with_what_that_did_not_show() -> None:
    async with sender(order=Order.CREATED) as at:
        await at.sent(20)
        del at.receiver.taken[at.ids[3]]
        stopping = asyncio.Event()

        def stop_at_the_end(page: Page) -> Page:
            if page.next_cursor is None:
                stopping.set()
            return page

        at.receiver.bend = stop_at_the_end
        assert (await at.run(stopping=stopping)).state == "running"
        run = await at.run()
        assert (run.state, run.suspects, run.appended) == ("done", 1, 1)


async def test_one_id_is_asked_for_alone() -> None:
    async with sender() as at:
        await at.sent(10)
        await at.run()
        del at.receiver.taken[at.ids[3]]
        same, lost = await at.scope.run_key(at.ids[2]), await at.scope.run_key(at.ids[3])
        assert (same.equal, same.appended, lost.appended, lost.deleted) == (1, 0, 1, 0)
        assert await at.post() == 1
        with pytest.raises(RefusedError, match="run it whole"):
            await at.scope.run_changed()


async def test_a_replay_under_new_ids_is_not_compared_and_one_under_the_old_ones_is() -> None:
    async with sender() as at:
        await at.sent(3)
        entries = [each.delivery for each in (await at.opened.store.closed_deliveries("till", since=0)).deliveries]
        for run in ("n-1", "r-1"):
            await at.opened.store.add_replayed([structs.replace(each, run=run) for each in entries], missing_only=False)
        await at.post()
        at.pass_time(60)
        assert (await at.run()).equal == 3
        assert (await at.scope.record()).live == 3


async def test_an_endpoint_that_is_not_there_or_is_sent_batches_fails_the_run() -> None:
    async with sender() as at:
        await at.opened.endpoints.remove("till")
        run = await at.run()
        assert (run.state, run.why) == ("failed", "there is no endpoint 'till'")
    async with sender(endpoint={"batch": {"size": 10}}) as at:
        run = await at.run()
        assert (run.state, "only what is sent alone is compared" in run.why) == ("failed", True)


async def test_one_that_was_made_anew_under_an_id_is_not_sent_what_the_former_lost() -> None:
    async with sender() as at:
        await at.sent(10)
        await at.opened.endpoints.remove("till")
        at.pass_time(60)
        await at.opened.endpoints.add({"url": "https://other.example/hooks"}, id="till")
        at.receiver.taken.clear()
        run = await at.run()
        assert (run.state, run.appended, run.suspects) == ("done", 0, 0)


async def test_it_runs_by_itself_in_any_process_that_sends() -> None:
    async with sender(every=timedelta(minutes=10)) as at:
        await at.sent(10)
        del at.receiver.taken[at.ids[3]]
        schedule = Schedule([at.scope], at.opened.ports)
        for _ in range(2):
            await schedule.look(at.scope, asyncio.Event())
            at.pass_time(700)
        assert [(each.is_dry, each.appended) for each in await at.scope.runs()] == [(False, 1), (True, 0)]
        assert (await at.scope.asof()).expected is not None


async def lost(at: Sender) -> None:
    del at.receiver.taken[at.ids[3]]


async def differs(at: Sender) -> None:
    at.receiver.taken[at.ids[3]] = bytes(32)


async def is_there_after_all(at: Sender) -> None:
    await at.publish(20)
    await at.post(result=DEAD)
    at.pass_time(60)


FIXTURES = {"delivery_lost": lost, "conflict": differs, "unexpected": is_there_after_all}


@pytest.mark.parametrize("kind", FIXTURES)
@pytest.mark.parametrize("mode", ["plan", "run"])
async def test_what_differs_is_found_as_its_kind(kind: str, mode: Mode) -> None:
    async with sender() as at:
        await at.sent(10)
        await FIXTURES[kind](at)
        run = await at.scope.run(mode, applies=True)
        [found] = await at.scope.findings(run=run.id)
        assert (found.kind, found.state == "proposed") == (kind, mode == "plan")
        assert (code_of(run), kind in KINDS) == (1, True)
        assert await at.post() == int(mode == "run" and kind == "delivery_lost")


def test_what_is_no_list_of_what_was_taken_is_refused() -> None:
    receiver = Receiver(StandingClock())
    app = App(Service("shop"))
    with pytest.raises(DeclarationError, match="no versions"):
        app.reconcile_endpoint("till-webhooks", "till", Versioned(receiver))
    with pytest.raises(DeclarationError, match="window=0:00:00 is no span of time"):
        app.reconcile_endpoint("till-webhooks", "till", Taken(receiver), window=timedelta(0))
    with pytest.raises(DeclarationError, match="no name of a scope"):
        app.reconcile_endpoint("Till!", "till", Taken(receiver))
    app.reconcile_endpoint("till-webhooks", "till", Taken(receiver))
    with pytest.raises(DeclarationError, match="two scopes"):
        app.reconcile_endpoint("till-webhooks", "other", Taken(receiver))


class Versioned(Taken):
    facts = facts(capability=Capability.VERSIONED, seekable=False)


async def test_in_a_file_what_was_lost_is_sent_again_and_proved_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noting, "SETTLING_US", SECOND // 10)
    await lost_and_found(f"sqlite:///{tmp_path}/shop.db")


async def test_on_postgresql_what_was_lost_is_sent_again_and_proved_there(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noting, "SETTLING_US", SECOND // 10)
    await lost_and_found(postgres_url)


async def lost_and_found(url: str) -> None:
    """Lose one of ten, by the clock of the database, until it is there again, and known to be."""
    async with sender(url=url, clock=Ports().clock) as at, asyncio.timeout(60):
        await at.publish(*range(10), subject="o1")
        assert await at.post() == 10
        del at.receiver.taken[at.ids[3]]
        while not (await at.run()).appended:
            await asyncio.sleep(0.2)
        assert await at.post() == 1
        assert at.receiver.posts[10:] == [at.ids[3]]
        since = at.clock.now_us()
        while ((await at.scope.asof()).deletes or 0) < since:
            assert (await at.run()).appended == 0
            await asyncio.sleep(0.2)
        assert [each.state for each in await at.scope.findings()] == ["merged"]
