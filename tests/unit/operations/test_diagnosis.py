from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.operations.stage import SERVICES, OrderPlaced, Stage
from tidings import Settings
from tidings.backends.sqlite.wal import caution_with
from tidings.operations import diagnosis
from tidings.operations.diagnosis import diagnose


async def problems(stage: Stage, settings: Settings | None = None) -> dict[str, str]:
    opened = stage.opened
    found = await diagnose(settings or opened.settings, stage.log, stage.store, opened.ports, SERVICES)
    return {check.name: check.problem for check in found if check.problem is not None}


async def test_a_clock_behind_the_log_is_a_problem(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1))
    stage.clock.pass_by(seconds=-60)
    assert "clock" not in await problems(stage)
    stage.clock.pass_by(seconds=-1)
    told = "it is 61 s behind the log's newest entry: set this machine's clock"
    assert (await problems(stage))["clock"] == told


async def test_a_disk_that_is_nearly_full_is_a_problem(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/orders.db")
    assert "disk" not in await problems(stage, settings)
    monkeypatch.setattr(diagnosis, "DISK_BYTES", 1 << 60)
    assert "make room before appends are refused" in (await problems(stage, settings))["disk"]


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
