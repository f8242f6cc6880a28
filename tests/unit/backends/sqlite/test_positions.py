"""A position is given out once: the head says what comes next, never the newest row that is still there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.backends.sqlite.store_of import opened
from tidings.conformance.samples import event, events, keep


@pytest.mark.parametrize("left", [2, 0])
async def test_a_position_whose_row_was_deleted_is_not_given_out_again(tmp_path: Path, left: int) -> None:
    path = str(tmp_path / "log.db")
    async with opened(path) as first:
        assert (await keep(first.log, *events(0, 5))).positions == (1, 2, 3, 4, 5)
        await first.rows("DELETE FROM tidings_log WHERE pos > ?", left)
    async with opened(path) as again:
        assert (await again.log.head()).position == 5
        assert (await keep(again.log, event("new"))).positions == (6,)
        assert (await again.log.read(after=5, limit=10)).entries[0].envelope.id == "new"


async def test_nor_is_it_by_the_process_that_saw_it_deleted() -> None:
    async with opened() as at:
        await keep(at.log, *events(0, 3))
        await at.rows("DELETE FROM tidings_log WHERE pos = 3")
        async with at.store.unit() as unit:
            unit.emit([event("emitted")])
        assert (await keep(at.log, event("appended"))).positions == (5,)


async def test_an_id_whose_row_was_deleted_is_taken_for_ever() -> None:
    async with opened() as at:
        for id in ("0", "1", "2"):
            await keep(at.log, event(id))
        await at.rows("DELETE FROM tidings_log WHERE pos = 3")
        receipt = await keep(at.log, event("2"))
        assert receipt.outcome == "conflict"
        assert receipt.conflict is not None
        assert (receipt.conflict.position, receipt.conflict.kept_hash) == (3, None)
        assert (await keep(at.log, event("new"))).positions == (4,)


async def test_one_and_true_are_not_the_same_content() -> None:
    async with opened() as at:
        await keep(at.log, event("1", attributes={"flag": 1}))
        assert (await keep(at.log, event("1", attributes={"flag": True}))).outcome == "conflict"
        assert (await keep(at.log, event("1", attributes={"flag": 1}))).outcome == "duplicate"
