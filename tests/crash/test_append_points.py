"""A process that is killed while it appends: what it acknowledged is there, nothing is there half or twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.oracle import acknowledged, positions_in
from tests.crash.points import of
from tests.crash.processes import run_killed, run_whole
from tests.crash.work import CALLERS, OPAQUE, WRITES, opaque, pair


def whole_or_not_at_all(kept: dict[str, int]) -> bool:
    pairs = [pair(caller, write) for caller in range(CALLERS) for write in range(WRITES)]
    return all((first in kept) == (second in kept) for first, second in pairs)


@pytest.mark.parametrize("point", of("append"))
async def test_a_kill_while_appending_loses_no_acknowledged_event_and_keeps_none_twice(
    tmp_path: Path, point: str
) -> None:
    told: dict[str, int] = {}
    for nth in (1, 5):
        told |= acknowledged((await run_killed("append", tmp_path, point=point, nth=nth)).told)
        kept = await positions_in(tmp_path / "log.db")
        assert told.items() <= kept.items()
        assert whole_or_not_at_all(kept)
    last = acknowledged((await run_whole("append", tmp_path)).told)
    assert last == await positions_in(tmp_path / "log.db")
    assert told.items() <= last.items()
    assert len(last) == CALLERS * WRITES * 2


@pytest.mark.parametrize("point", of("run"))
async def test_a_kill_while_keys_are_moved_forgets_none(tmp_path: Path, point: str) -> None:
    told: dict[str, int] = {}
    for nth in (1, 2):
        told |= acknowledged((await run_killed("fill-runs", tmp_path, point=point, nth=nth)).told)
        kept = await positions_in(tmp_path / "log.db")
        assert told.items() <= kept.items()
    last = acknowledged((await run_whole("fill-runs", tmp_path)).told)
    assert last == await positions_in(tmp_path / "log.db")
    assert told.items() <= last.items()
    assert set(last) == {opaque(n) for n in range(OPAQUE)}
