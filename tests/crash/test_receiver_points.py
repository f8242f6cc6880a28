"""A process that is killed while it takes webhooks in: what it answered is kept once, and the rest may come again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.crash.oracle import back_end, positions_in
from tests.crash.points import on_each
from tests.crash.processes import run_killed, run_whole
from tests.crash.receiving import DELIVERIES, EVENTS_APPENDED, id_of


async def check(folder: Path, told: Sequence[str]) -> None:
    """Each delivery that was answered is in the log once; there is a receipt for each event, and for nothing else."""
    async with back_end(folder) as opened:
        kept = await positions_in(opened.log)
        receipts = await opened.store.receipts(limit=1_000)
    assert set(told) <= kept.keys()
    assert {receipt.outcome for receipt in receipts} <= {"stored"}
    assert len(receipts) == len(kept)


async def kill_twice_and_finish(folder: Path, point: str) -> None:
    told: list[str] = []
    for nth in (1, 2):
        told += (await run_killed("receive", folder, point=point, nth=nth)).told
        await check(folder, told)
    told += (await run_whole("receive", folder)).told
    await check(folder, told)
    assert set(told) == {id_of(n) for n in range(DELIVERIES)}


@pytest.mark.parametrize(("place", "point"), on_each("receiver"), indirect=["place"])
async def test_a_kill_while_a_webhook_is_taken_in_keeps_it_whole_or_not_at_all(place: Path, point: str) -> None:
    await kill_twice_and_finish(place, point)


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
async def test_a_kill_between_the_events_and_the_commit_keeps_neither_them_nor_the_receipt(place: Path) -> None:
    await kill_twice_and_finish(place, EVENTS_APPENDED)
