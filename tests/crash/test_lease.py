"""An owner that is stopped for longer than its lease lasts, and then goes on: what it still does is refused."""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path

import pytest

from tests.crash import shop
from tests.crash.points import of
from tests.crash.processes import Child, start
from tests.crash.shop_oracle import check_end
from tests.scale import SCALE


async def until(child: Child, wanted: str, told: list[str]) -> None:
    while (line := await child.line()) != wanted:
        assert line, "it ended too early"
        told.append(line)


def holds_the_file(path: Path) -> bool:
    """Say whether somebody stands in a transaction that writes: on SQLite everyone else waits for its end."""
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    else:
        return False
    finally:
        other.close()


@pytest.mark.parametrize("point", of("unit"))
@pytest.mark.parametrize("nth", [1, 4][:SCALE])
async def test_a_paused_owner_changes_nothing_once_another_took_over(tmp_path: Path, point: str, nth: int) -> None:
    told: list[str] = []
    paused = await start("sell", tmp_path, point=point, nth=nth, options="stop")
    await paused.until_stopped()
    other = await start("sell", tmp_path, options="ahead")
    await until(other, "open" if holds_the_file(shop.file(tmp_path)) else "settled", told)
    paused.send(signal.SIGCONT)
    for child in (other, paused):
        ended = await child.ended()
        assert ended.code == 0, ended.errors[-4000:]
        told += ended.told
    await check_end(tmp_path, told)
