"""An entry that an operator drops is given up for ever by its view: by late events, rebuilds, replays, comparisons."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.views.poison import IN_MEMORY, Bank, app, begun, moved, unknown
from tidings import Settings
from tidings.views.declaration import Mode, consumer_name

both_modes = pytest.mark.parametrize("mode", ["async", "inline"])
both_kinds = pytest.mark.parametrize("spans", [False, True], ids=["one-subject", "many-subjects"])


def key(spans: bool) -> tuple[str]:
    return ("jack",) if spans else ("a",)


@both_modes
@both_kinds
async def test_a_dropped_entry_is_left_out_by_late_events_rebuilds_and_comparisons(mode: Mode, spans: bool) -> None:
    async with app(mode=mode, spans=spans).open(IN_MEMORY) as application:
        bank = Bank(application)
        await bank.take(begun(), unknown(2), moved(-5, 3), moved(10, 4))
        for _ in ("what cannot be read", "what the fold refuses"):
            await bank.drop_first()
        await bank.flows()
        assert await bank.rows() == {key(spans): [10]}
        await bank.take(moved(1, 1))
        assert (await bank.rows(), await bank.parked()) == ({key(spans): [1, 10]}, [])
        assert (await bank.verified()).is_right
        for version in (2, 3):
            record = await application.carrying.rebuild(bank.view)
            assert (record.table.version, await bank.rows()) == (version, {key(spans): [1, 10]})
            result = await bank.verified()
            assert (result.is_right, result.dropped, result.parked) == (True, 2, 0)
        await bank.take(moved(2, 2))
        assert (await bank.rows(), await bank.parked()) == ({key(spans): [1, 2, 10]}, [])


@both_modes
async def test_a_new_version_of_the_view_leaves_out_what_an_older_one_gave_up(tmp_path: Path, mode: Mode) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'bank.db'}")
    async with app(mode=mode).open(settings) as application:
        bank = Bank(application)
        await bank.take(begun(), moved(7, 2), unknown(3), moved(10, 4))
        await bank.drop_first()
        await bank.flows()
    async with app(mode=mode, version=2).open(settings) as application:
        bank = Bank(application)
        record = await bank.record()
        if record.table.version == 1:
            record = await application.carrying.rebuild(bank.view)
        assert record.declared == 2
        assert (await bank.rows(), await bank.parked()) == ({("a",): [7, 10]}, [])
        await bank.take(moved(1, 1))
        assert await bank.rows() == {("a",): [1, 7, 10]}


@both_kinds
async def test_a_replay_leaves_out_what_was_given_up(spans: bool) -> None:
    async with app(spans=spans).open(IN_MEMORY) as application:
        bank = Bank(application)
        await bank.take(begun(), moved(1, 1), unknown(2))
        await bank.drop_first()
        await bank.flows()
        consumer = consumer_name((await bank.record()).table)
        await application.store.rewind(consumer, to=0)
        await bank.settled()
        assert (await bank.rows(), await bank.parked()) == ({key(spans): [1]}, [])


@both_modes
@both_kinds
async def test_what_comes_before_its_beginning_is_folded_though_an_entry_was_given_up(mode: Mode, spans: bool) -> None:
    async with app(mode=mode, spans=spans).open(IN_MEMORY) as application:
        bank = Bank(application)
        await bank.take(unknown(0))
        await bank.drop_first()
        await bank.take(moved(10, 3), begun(1))
        await bank.flows()
        assert await bank.rows() == {key(spans): [10]}
        assert (await bank.verified()).is_right


@both_modes
async def test_an_entry_that_can_not_be_read_any_more_is_told_and_its_row_stays(tmp_path: Path, mode: Mode) -> None:
    """A class is made stricter under its version; the row must not be folded again without what it holds."""
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'bank.db'}")
    async with app(mode=mode).open(settings) as application:
        bank = Bank(application)
        await bank.take(begun(), moved(1, 1), moved(2, 2))
    async with app(mode=mode, strict=True).open(settings) as application:
        bank = Bank(application)
        result = await bank.verified()
        assert [(each.kind, each.position) for each in result.first] == [("fails", 2), ("fails", 3)]
        assert (result.is_right, result.unreadable) == (False, 2)
        await bank.take(begun(-1, account="b"), begun(-1, id="late"))
        assert (await bank.rows()) == {("a",): [1, 2], ("b",): []}
        [parked] = await bank.parked()
        assert (parked.subject, parked.state, parked.reason) == ("a", "dead", "undecodable")
        assert "position 2" in parked.error
