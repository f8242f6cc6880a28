"""What runs are reported to be: kinds of findings, their causes, exit codes, one line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as replace_run

from tests.unit.reconciliation.shop import SECOND, Item, Orders, Provider, Shop, shop
from tests.unit.reconciliation.test_outbound import FIXTURES as OUTBOUND
from tests.unit.reconciliation.test_party import FIXTURES as PARTY
from tests.unit.reconciliation.test_scope import filled
from tidings.cli.exits import code_of as code_of_error
from tidings.cli.reconcile import code_of
from tidings.errors import UnderWayError
from tidings.faces.scopes import KINDS, finding_object, run_line
from tidings.reconciliation.assembling import definition_of
from tidings.reconciliation.copy.differing import TEXT_MAX, text_of
from tidings.reconciliation.kept.records import Run, RunState
from tidings.reconciliation.listing import Scope
from tidings.testing.clock import StandingClock

DAY = 24 * 3_600


async def the(at: Shop, kind: str) -> dict[str, object]:
    [found] = [each for each in await at.scope.findings() if each.kind == kind]
    return finding_object(found, now=at.clock.now_us(), values=True)


async def test_changed_definition_is_dry(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    async with shop(url=url) as at:
        at.provider.put("o1", 1)
        at.pass_time(10)
        assert (await at.scope.run("run")).is_dry
        assert not (await at.scope.run("run")).is_dry
    async with shop(url=url, replica_lag=timedelta(seconds=2)) as at:
        at.provider.put("o1", 2)
        at.pass_time(10)
        dry = await at.scope.run("run")
        assert (dry.is_dry, dry.appended) == (True, 0)
        assert not (await at.scope.run("run")).is_dry


def test_another_account_or_filter_is_another_definition() -> None:
    listing: Any = Orders(Provider(StandingClock()))
    scope = Scope(name="till-orders", listing=listing, account="one")
    filtered: Any = Orders(Provider(StandingClock()))
    filtered.definition = "paid orders"
    others = [replace(scope, account="two"), replace(scope, listing=filtered)]
    assert len({definition_of(each) for each in (scope, *others)}) == 3


async def test_what_another_definition_proved_is_not_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    async with shop(url=url) as at:
        await filled(at)
        assert (await at.scope.asof()).deletes is not None
    async with shop(url=url, replica_lag=timedelta(seconds=2)) as at:
        bounds = await at.scope.asof()
        assert (bounds.upserts, bounds.deletes) == (None, None)


async def missing(at: Shop) -> None:
    at.provider.put("new", 1)


async def stale(at: Shop) -> None:
    at.provider.put("o03", 99)


async def differs(at: Shop) -> None:
    at.provider.items["o03"].amount = 99


async def went_back(at: Shop) -> None:
    at.provider.items["o03"] = Item(99, at.provider.items["o03"].changed - 5 * SECOND)


async def extra(at: Shop) -> None:
    del at.provider.items["o03"]


async def tie(at: Shop) -> None:
    at.provider.put("o03", 50)
    await at.webhook("o03", id="the-first-of-two")
    await at.carry()
    at.provider.items["o03"].amount = 99  # in the same second


async def omitted(at: Shop) -> None:
    at.provider.bend = lambda page: replace(page, rows=[row for row in page.rows if row.key != "o03"])


async def total_differs(at: Shop) -> None:
    at.provider.bend = lambda page: replace(page, total=99)


async def asof_false(at: Shop) -> None:
    await at.run()
    proved = (await at.scope.asof()).upserts
    assert proved is not None
    at.provider.items["o03"] = Item(99, proved - SECOND)


async def parked(at: Shop) -> None:
    bounds = await at.scope.asof()
    at.refuses.add("o03")
    at.provider.put("o03", 99)
    await at.webhook("o03", id="what-the-adapter-cannot-read")
    await at.carry()
    at.pass_time(5)
    await at.run()
    assert (await at.scope.asof()).upserts != bounds.upserts  # all but for this one key


REPAIRED = (missing, stale, differs, went_back, extra, tie)
NOTED = (omitted, total_differs, asof_false, parked)


def test_every_finding_kind_has_a_fixture() -> None:
    assert sorted([*(each.__name__ for each in (*REPAIRED, *NOTED)), *OUTBOUND, *PARTY]) == sorted(KINDS)


@pytest.mark.parametrize("makes", REPAIRED, ids=[each.__name__ for each in REPAIRED])
@pytest.mark.parametrize("mode", ["plan", "run"])
async def test_what_differs_is_found_as_its_kind(makes: object, mode: str) -> None:
    async with shop() as at:
        await filled(at)
        await makes(at)  # type: ignore[operator]
        at.pass_time(5)
        run = await at.scope.run(mode, applies=True)  # type: ignore[arg-type]
        assert [each.kind for each in await at.scope.findings(run=run.id)] == [makes.__name__]  # type: ignore[attr-defined]


@pytest.mark.parametrize("makes", NOTED, ids=[each.__name__ for each in NOTED])
async def test_what_no_repair_follows_from_is_found_and_no_event_is_made_of_it(makes: object) -> None:
    async with shop() as at:
        await filled(at)
        await makes(at)  # type: ignore[operator]
        at.pass_time(5)
        run = await at.scope.run("run", applies=True)
        kind = makes.__name__  # type: ignore[attr-defined]
        [found] = [each for each in await at.scope.findings(run=run.id) if each.kind == kind]
        assert (found.state, found.cause) == (("parked", "handler") if makes is parked else ("waived", "provider"))
        assert await at.opened.log.find("/tidings/reconcile", found.id) is None
        assert run.appended == (1 if makes is asof_false else 0)  # what was told falsely is stale, too


async def test_parked_repair_is_an_exception() -> None:
    async with shop() as at:
        await filled(at)
        await parked(at)
        states = {each.kind: each.state for each in await at.scope.findings() if each.key == "o03"}
        assert states == {"missing": "merged", "stale": "parked", "parked": "parked"}
        run = await at.run()
        assert (run.appended, run.state) == (0, "done")
        bounds = await at.scope.asof()
        assert [(each.key, each.reason) for each in bounds.exceptions] == [("o03", "parked")]
        assert bounds.deletes == bounds.upserts
        at.refuses.clear()
        at.pass_time(1)
        await at.opened.store.schedule_redrive("orders.till-orders", "o03", at=at.clock.now_us())
        at.pass_time(1)
        await at.carry()
        assert (await at.scope.asof()).exceptions == ()
        states = {each.kind: each.state for each in await at.scope.findings() if each.key == "o03"}
        assert states == {"missing": "merged", "stale": "merged", "parked": "merged"}
        assert await at.shown() == at.true


async def test_what_no_event_came_for_until_none_comes_any_more_was_lost() -> None:
    async with shop() as at:
        await filled(at)
        await stale(at)
        at.pass_time(5)
        await at.run()
        assert (await the(at, "stale"))["cause"] == "unknown"
        at.pass_time(3 * DAY - 60)  # as long as the provider redelivers
        assert (await the(at, "stale"))["cause"] == "unknown"
        at.pass_time(120)
        assert (await the(at, "stale"))["cause"] == "lost"


@pytest.mark.parametrize("mode", ["run", "plan"])
async def test_of_what_is_both_here_and_there_it_is_told_what_differs(mode: str) -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("new", 1)
        del at.provider.items["o05"]
        at.provider.put("o03", 99)
        at.pass_time(5)
        run = await at.scope.run(mode, applies=True)  # type: ignore[arg-type]
        shown = [finding_object(each, now=0, values=True) for each in await at.scope.findings(run=run.id)]
        fields = {each["key"]: each["fields"] for each in shown}
        assert fields == {"new": [], "o05": [], "o03": [{"name": "amount", "here": "3", "there": "99"}]}
        [found] = [each for each in await at.scope.findings(run=run.id) if each.key == "o03"]
        hidden = finding_object(found, now=0, values=False)
        assert hidden["fields"] == [{"name": "amount", "here": None, "there": None}]


async def test_of_an_item_that_is_asked_for_alone_it_is_told_what_differs() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.put("o03", 99)
        at.pass_time(5)
        run = await at.scope.run_key("o03")
        [found] = await at.scope.findings(run=run.id)
        assert [(each.name, each.here, each.there) for each in found.fields] == [("amount", "3", "99")]


async def test_a_long_value_is_cut() -> None:
    assert text_of("x" * 1_000) == f'"{"x" * (TEXT_MAX - 2)}…'


async def test_what_is_only_proposed_was_not_lost() -> None:
    async with shop() as at:
        await filled(at)
        await stale(at)
        await at.scope.run("plan")
        at.pass_time(4 * DAY)
        assert (await the(at, "stale"))["cause"] == "unknown"


@pytest.mark.parametrize(("makes", "kind"), [(differs, "differs"), (went_back, "went_back")])
async def test_what_no_lost_event_explains_is_the_providers(makes: object, kind: str) -> None:
    async with shop() as at:
        await filled(at)
        await makes(at)  # type: ignore[operator]
        at.pass_time(5)
        await at.run()
        assert (await the(at, kind))["cause"] == "provider"


@pytest.mark.parametrize(("seconds", "was_in_flight"), [(50, True), (70, False)])
async def test_an_event_that_comes_a_moment_after_its_repair_was_in_flight(seconds: int, was_in_flight: bool) -> None:
    async with shop() as at:
        await filled(at)
        await stale(at)
        at.pass_time(5)
        await at.run()
        assert (await the(at, "stale"))["in_flight"]
        at.pass_time(seconds)
        await at.webhook("o03", id="after-all")
        await at.carry()
        at.pass_time(600)
        found = await the(at, "stale")
        assert (found["cause"], found["in_flight"]) == ("late", was_in_flight)


@pytest.mark.parametrize(
    ("state", "appended", "proposed", "code"),
    [
        ("done", 0, 0, 0),
        ("done", 1, 0, 1),
        ("done", 0, 1, 1),
        ("held", 0, 0, 1),
        ("failed", 1, 0, 2),
        ("incomplete", 1, 0, 3),
        ("paused", 0, 0, 3),
    ],
)
def test_exit_codes(state: RunState, appended: int, proposed: int, code: int) -> None:
    run = Run(id="r", mode="run", definition="d", state=state, appended=appended, proposed=proposed)
    assert code_of(run) == code


@pytest.mark.parametrize("found", [{"open_suspects": 1}, {"omitted": 1}, {"breaches": ("order",)}])
def test_what_is_suspected_or_was_not_kept_is_something(found: dict[str, Any]) -> None:
    assert code_of(Run(id="r", mode="run", definition="d", state="done", **found)) == 1


def test_an_approval_that_has_done_nothing_is_no_success() -> None:
    run = Run(id="r", mode="approve", definition="d", state="done")
    assert (code_of(run), code_of(replace_run(run, appended=1), in_flight=1)) == (1, 0)


async def test_a_scope_that_another_process_runs_could_not_be_run() -> None:
    async with shop() as at:
        await filled(at, 1)
        codes = []

        async def beside() -> None:
            with pytest.raises(UnderWayError) as told:
                await at.other_process().run("run")
            codes.append(code_of_error(told.value))

        at.provider.before = beside
        await at.run()
        assert codes == [2]


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("held", 1), ("failed", 2), ("incomplete", 3)])
def test_what_is_in_flight_is_no_drift_to_an_exit_code(state: RunState, code: int) -> None:
    run = Run(id="r", mode="run", definition="d", state=state, appended=2, proposed=0)
    assert code_of(run, in_flight=2) == code
    assert code_of(run, in_flight=1) == (code or 1)


async def test_a_run_is_told_in_one_line() -> None:
    async with shop() as at:
        await filled(at)
        await stale(at)
        at.pass_time(5)
        run = await at.run()
        found = await at.scope.findings(run=run.id)
        told = run_line(run, "till-orders", found, now=at.clock.now_us())
        assert told.startswith("till-orders: done: 10 rows; 1 appended (1 stale); 1 in flight; consistent as of 20")
        assert "\n" not in told
