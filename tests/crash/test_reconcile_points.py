"""A process that is killed while it reconciles: the next one goes on where it stood, and finds each difference once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.crash import shop
from tests.crash.points import on_each
from tests.crash.processes import run_killed, run_whole
from tests.crash.reconciling import FIRST, LEFT, SCOPE, UPDATED, carry, copied, made, runs
from tidings.conformance.samples import everything
from tidings.ports import Ports
from tidings.reconciliation.copy.repairing import SOURCE

NTH = {
    "reconcile:page-received": 2,
    "reconcile:page-judged": 2,
    "reconcile:page-committed": 2,
    "reconcile:delete-appended": 5,  # of those that were approved
}


@pytest.mark.parametrize(("place", "point"), on_each("reconcile"), indirect=["place"])
async def test_kill_at_each_reconcile_point(place: Path, point: str) -> None:
    await run_killed("reconcile", place, point=point, nth=NTH.get(point, 1))
    await run_whole("reconcile", place)
    app, _ = made(place, Ports())
    async with app.open(shop.settings(place), ports=Ports(), consume=False) as opened:
        await carry(opened)
        assert await copied(opened) == LEFT
        repairs = [each.envelope for each in await everything(opened.log.driver) if each.envelope.source == SOURCE]
        kinds = Counter(each.type for each in repairs)
        findings = await opened.scopes[SCOPE].findings()
        ended, late = await runs(opened), (await opened.scopes[SCOPE].record()).late
    # Fifteen items that were missing, three that changed and a new one; two that are gone, and ten by approval.
    assert kinds == {"order-seen": len(FIRST) + 4, "order-gone": 12}
    assert late == 1
    assert len({each.id for each in repairs}) == len(repairs) == len(findings)
    assert {each.state for each in findings} == {"merged"}
    assert {each.state for each in ended} == {"done"}
    assert len([each for each in ended if each.why.startswith("it was approved: see the run ")]) == 1
    assert [each.state for each in ended if each.mode == "approve"] == ["done"]
    assert sum(each.appended for each in ended) == len(repairs)
    if point == "reconcile:page-committed":
        first = ended[-1]
        assert first.pages == 4  # what was read before the kill is not read again


CHANGED = [each for each in on_each("reconcile") if each[1].startswith(("reconcile:page", "reconcile:run"))]


@pytest.mark.parametrize(("place", "point"), CHANGED, indirect=["place"])
async def test_a_pass_over_changes_that_is_killed_goes_on_without_losing_or_repeating_anything(
    place: Path, point: str
) -> None:
    await run_whole("copy-whole", place)
    await run_killed("read-changes", place, point=point, nth=2 if point.startswith("reconcile:page") else 1)
    await run_whole("read-changes", place)
    app, _ = made(place, Ports())
    async with app.open(shop.settings(place), ports=Ports(), consume=False) as opened:
        assert await copied(opened) == dict(sorted(UPDATED.items()))
        repairs = [each.envelope for each in await everything(opened.log.driver) if each.envelope.source == SOURCE]
        findings = await opened.scopes[SCOPE].findings()
        passes = [each for each in await runs(opened) if each.mode == "changed"]
    # Fifteen items that were missing, six that changed and a new one.
    assert len({each.id for each in repairs}) == len(repairs) == len(findings) == len(FIRST) + 7
    assert {each.state for each in findings} == {"merged"}
    assert {each.state for each in passes} == {"done"}
    assert sum(each.appended for each in passes) == 7
    if point == "reconcile:page-committed":
        assert passes[-1].pages == 2  # what was read before the kill is not read again
