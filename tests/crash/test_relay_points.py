"""A relay that is killed between its store and a log elsewhere: everything staged arrives, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.oracle import positions_in
from tests.crash.points import of
from tests.crash.processes import run_killed, run_whole
from tests.crash.relaying import UNITS, staged


@pytest.mark.parametrize("point", of("relay"))
async def test_a_kill_while_relaying_neither_loses_nor_repeats_what_was_staged(tmp_path: Path, point: str) -> None:
    for nth in (1, 2):
        await run_killed("relay", tmp_path, point=point, nth=nth)
        await positions_in(tmp_path / "log.db")
    await run_whole("relay", tmp_path)
    assert list(await positions_in(tmp_path / "log.db")) == [id for n in range(UNITS) for id in staged(n)]
