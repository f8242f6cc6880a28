from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.unit.operations.stage import SERVICES, OrderPlaced, Stage
from tidings.backends.sqlite.wal import caution_with
from tidings.operations.diagnosis import diagnose
from tidings.store.host import Check
from tidings.store.versions import VersionLease


async def problems(stage: Stage) -> dict[str, str]:
    opened = stage.opened
    found = await diagnose(opened.host, stage.log, stage.store, opened.ports, SERVICES)
    return {check.name: check.problem for check in found if check.problem is not None}


async def test_a_clock_behind_the_log_is_a_problem(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1))
    stage.clock.pass_by(seconds=-60)
    assert "clock" not in await problems(stage)
    stage.clock.pass_by(seconds=-1)
    told = "it is 61 s behind the log's newest entry: set this machine's clock"
    assert (await problems(stage))["clock"] == told


async def test_what_a_clock_far_ahead_said_of_who_runs_is_a_problem(stage: Stage) -> None:
    stage.clock.pass_by(seconds=3600)
    said = VersionLease(
        instance="host:1", service="shop", consumer="shop", type="order-placed", role="accept", versions=(1,)
    )
    await stage.store.join_versions([said], ttl=timedelta(seconds=30))
    stage.clock.pass_by(seconds=-3600)
    told = "host:1 said 3,600 s ahead of now that it runs, and counts as gone: a clock was set back"
    assert (await problems(stage))["clock"] == told


async def test_what_is_wrong_with_the_host_is_told_even_if_the_log_does_not_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        async def problem(self) -> str | None:
            return None

        async def look(self) -> Sequence[Check]:
            return (Check("disk", "full"),)

    await stage.opened.log.close()
    found = await diagnose(Full(), stage.log, stage.store, stage.opened.ports, SERVICES)
    assert [check.name for check in found if check.problem is not None] == ["log", "store", "disk"]


@pytest.mark.parametrize(
    ("version", "is_cautious"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_releases_that_may_corrupt_a_file_are_cautioned_against(
    version: tuple[int, int, int], is_cautious: bool
) -> None:
    assert (caution_with(version) is not None) == is_cautious
