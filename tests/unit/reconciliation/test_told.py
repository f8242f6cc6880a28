"""What is told of scopes: metrics, what the doctor names, and a warning, once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.reconciliation.shop import Shop, shop
from tests.unit.reconciliation.test_scope import filled
from tests.unit.telemetry.scrape import named, scrape
from tidings.app.reconciling import Schedule
from tidings.operations.diagnosis import diagnose

TEN_MINUTES = timedelta(minutes=10)
SCOPE = ("till-orders",)


async def problem(at: Shop) -> str | None:
    opened = at.opened
    found = await diagnose(opened.host, opened.log, opened.store, opened.ports, opened.services, opened.scopes)
    [check] = [each for each in found if each.name == "reconciliation"]
    return check.problem


async def test_metrics_say_how_far_a_copy_is_proved_and_what_was_repaired() -> None:
    async with shop(every=TEN_MINUTES) as at:
        await filled(at)
        at.provider.put("o03", 99)
        at.provider.items["o04"].amount = 77  # without a new version
        at.pass_time(5)
        await at.run()
        bounds = await at.scope.asof()
        samples = await scrape(at.opened)
        assert bounds.upserts is not None
        assert named(samples, "tidings_asof_seconds")["delete", *SCOPE] == bounds.upserts / 1e6
        ages = named(samples, "tidings_staleness_seconds")
        assert 0 < ages["upsert", *SCOPE] == ages["delete", *SCOPE] < 60
        assert named(samples, "tidings_staleness_expected_seconds")[SCOPE] == (bounds.expected or 0) / 1e6
        assert named(samples, "tidings_reconcile_corrections_total") == {}
        assert named(samples, "tidings_reconcile_pages_total") == {("taken", *SCOPE): 6}
        assert named(samples, "tidings_reconcile_run_seconds_count") == {("run", *SCOPE): 2}
        for name in ("findings_open", "suspects", "held", "dirty_keys", "late_total"):
            assert named(samples, f"tidings_reconcile_{name}") == {SCOPE: 0}, name
        assert set(named(samples, "tidings_provider_tokens")) == {(each, *SCOPE) for each in ("live", "verify", "bulk")}


async def test_corrections_count_once_their_events_are_missed() -> None:
    async with shop(every=TEN_MINUTES) as at:
        await filled(at)
        at.provider.put("o03", 99)
        at.provider.put("o05", 98)
        at.provider.items["o04"].amount = 77  # without a new version
        at.pass_time(5)
        await at.run()
        await at.webhook("o05", id="a-moment-later")
        await at.carry()
        at.pass_time(70)
        assert await at.scope.count_drift() == 12
        assert await at.scope.count_drift() == 0
        await at.webhook("o03", id="too-late")
        await at.carry()
        samples = await scrape(at.opened)
        assert named(samples, "tidings_reconcile_corrections_total") == {
            ("unknown", "missing", *SCOPE): 10,
            ("unknown", "stale", *SCOPE): 1,
            ("provider", "differs", *SCOPE): 1,
        }
        assert named(samples, "tidings_reconcile_late_seconds_count") == {SCOPE: 2}


async def test_no_label_holds_a_key_of_an_item() -> None:
    async with shop(every=TEN_MINUTES) as at:
        await filled(at)
        del at.provider.items["o03"]
        at.provider.trouble = lambda what: None if what == "list" else 1 / 0  # type: ignore[return-value]
        await at.run()
        samples = await scrape(at.opened)
        assert named(samples, "tidings_asof_exceptions") == {SCOPE: 1}
        assert named(samples, "tidings_reconcile_suspects") == {SCOPE: 1}
        assert not [labels for _, labels in samples if any("o03" in each for each in labels)]


async def test_the_doctor_names_what_is_held_and_what_was_not_proved_for_too_long() -> None:
    async with shop(every=TEN_MINUTES) as at:
        await filled(at, 30)
        assert await problem(at) is None
        for n in range(15):
            del at.provider.items[f"o{n:02}"]
        at.pass_time(5)
        held = await at.run()
        assert held.state == "held"
        assert await problem(at) == "till-orders holds 15 deletes: `tidings reconcile report till-orders`"
        at.pass_time(3_600)
        assert " s are enough" in (await problem(at) or "")


async def test_a_copy_that_was_not_proved_for_too_long_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async with shop(every=TEN_MINUTES) as at:
        await filled(at)
        schedule = Schedule([at.scope], at.opened.ports)
        await schedule.tell(at.scope)
        assert caplog.messages == []
        at.pass_time(3_600)
        await schedule.tell(at.scope)
        await schedule.tell(at.scope)
        assert len(caplog.messages) == 1
        assert caplog.messages[0].startswith("till-orders was proved right 3,6")
        await at.run()
        await schedule.tell(at.scope)
        at.pass_time(3_600)
        await schedule.tell(at.scope)
        assert len(caplog.messages) == 2
