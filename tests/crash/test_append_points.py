"""A process that is killed while it appends: what it acknowledged is there, nothing is there half or twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.oracle import acknowledged, back_end, positions_in, reopened
from tests.crash.points import of, on_each
from tests.crash.processes import run_killed, run_whole
from tests.crash.work import CALLERS, OPAQUE, WRITES, opaque, pair


def whole_or_not_at_all(kept: dict[str, int]) -> bool:
    pairs = [pair(caller, write) for caller in range(CALLERS) for write in range(WRITES)]
    return all((first in kept) == (second in kept) for first, second in pairs)


async def kept_in(folder: Path) -> dict[str, int]:
    async with back_end(folder) as opened:
        return await positions_in(opened.log)


@pytest.mark.parametrize(("place", "point"), on_each("append"), indirect=["place"])
async def test_a_kill_while_appending_loses_no_acknowledged_event_and_keeps_none_twice(place: Path, point: str) -> None:
    told: dict[str, int] = {}
    for nth in (1, 5):
        told |= acknowledged((await run_killed("append", place, point=point, nth=nth)).told)
        kept = await kept_in(place)
        assert told.items() <= kept.items()
        assert whole_or_not_at_all(kept)
    last = acknowledged((await run_whole("append", place)).told)
    assert last == await kept_in(place)
    assert told.items() <= last.items()
    assert len(last) == CALLERS * WRITES * 2


async def keys_kept_in(folder: Path) -> dict[str, int]:
    async with reopened(folder / "log.db") as opened:
        return await positions_in(opened.log)


@pytest.mark.parametrize("point", of("run"))
async def test_a_kill_while_keys_are_moved_forgets_none(tmp_path: Path, point: str) -> None:
    told: dict[str, int] = {}
    for nth in (1, 2):
        told |= acknowledged((await run_killed("fill-runs", tmp_path, point=point, nth=nth)).told)
        kept = await keys_kept_in(tmp_path)
        assert told.items() <= kept.items()
    last = acknowledged((await run_whole("fill-runs", tmp_path)).told)
    assert last == await keys_kept_in(tmp_path)
    assert told.items() <= last.items()
    assert set(last) == {opaque(n) for n in range(OPAQUE)}
