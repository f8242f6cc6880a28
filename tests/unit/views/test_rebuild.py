"""A swap shows no table that is known to lack a subject: it waits while one is retried, or an operator decides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.operations.test_beginning import remove
from tests.unit.views.poison import IN_MEMORY, Bank, app, begun, eventually, moved, unknown
from tidings import Settings
from tidings.app import Opened
from tidings.errors import RefusedError
from tidings.operations import views as operation
from tidings.operations.beginning import begin
from tidings.operations.diagnosis import diagnose
from tidings.operations.progress import Watch
from tidings.store.parking import Parked
from tidings.store.rows import ViewRecord
from tidings.views.declaration import Mode, ViewSpec
from tidings.views.rebuild import Rebuild
from tidings.views.tables import Standing

NEW = "bank.account@2"
both_modes = pytest.mark.parametrize("mode", ["async", "inline"])


async def with_rows(settings: Settings, mode: Mode) -> None:
    async with app(mode=mode).open(settings) as application:
        await Bank(application).take(begun(), moved(1, 1), begun(account="b"))


def in_file(folder: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{folder / 'bank.db'}")


async def test_a_subject_that_is_dead_for_the_new_table_alone_refuses_the_swap(tmp_path: Path) -> None:
    await with_rows(in_file(tmp_path), "async")
    stricter = app(version=2, strict=True)
    async with stricter.open(in_file(tmp_path), consume=False) as application:
        bank = Bank(application)
        with pytest.raises(RefusedError) as refused:
            await application.carrying.rebuild(bank.view)
        assert await bank.rows() == {("a",): [1], ("b",): []}
        told = str(refused.value)
        assert "1 subject is dead for bank.account@2, first 'a' at position 2" in told
        assert "`tidings dead drop bank.account@2 a --reason …`" in told
        assert "`tidings views rebuild bank.account --accept-parked`" in told
        await bank.store.drop(NEW, "a", 2, reason="not wanted")
        record = await application.carrying.rebuild(bank.view)
        assert (record.table.version, await bank.rows()) == (2, {("a",): [], ("b",): []})


async def test_an_inline_view_that_lacks_a_subject_in_its_new_version_stops_the_start(tmp_path: Path) -> None:
    await with_rows(in_file(tmp_path), "inline")
    with pytest.raises(RefusedError, match="1 subject is dead for bank"):
        async with app(version=2, strict=True, mode="inline").open(in_file(tmp_path), consume=False):
            pass
    async with app(mode="inline").open(in_file(tmp_path), consume=False) as application:
        assert await Bank(application).rows() == {("a",): [1], ("b",): []}


async def retrying(application: Opened) -> asyncio.Task[ViewRecord]:
    """Begin a rebuild, and return it once a subject is retried for the new table."""
    bank = Bank(application)
    rebuild = asyncio.create_task(application.carrying.rebuild(bank.view))

    async def is_parked() -> bool:
        return bool(await bank.store.parked(NEW))

    await eventually(is_parked)
    return rebuild


async def problems(at: Opened) -> dict[str, str | None]:
    """Return what is told of consumers and of tables that are built anew."""
    found = await diagnose(at.host, at.log, at.store, at.ports, at.services)
    return {each.name: each.problem for each in found if each.name in ("checkpoints", "rebuilds") and each.problem}


@both_modes
async def test_a_subject_that_is_retried_for_the_new_table_is_waited_for(mode: Mode) -> None:
    refused = {-1}
    async with app(mode=mode, refuses=refused.__contains__).open(IN_MEMORY) as application:
        bank = Bank(application)
        await bank.take(begun(), moved(1, 1))
        refused.add(1)
        rebuild = await retrying(application)
        for _ in range(50):
            await asyncio.sleep(0)
        assert ((await bank.record()).table.version, await bank.rows()) == (1, {("a",): [1]})
        refused.clear()
        await bank.store.schedule_redrive(NEW, "a", at=application.ports.clock.now_us())
        assert (await rebuild).table.version == 2
        assert (await bank.rows(), await bank.parked()) == ({("a",): [1]}, [])


@both_modes
async def test_what_both_tables_lack_refuses_the_swap_until_an_operator_accepts_it(mode: Mode) -> None:
    async with app(mode=mode).open(IN_MEMORY) as application:
        bank = Bank(application)
        await bank.take(begun(), moved(1, 1), unknown(2), begun(account="b"))
        with pytest.raises(RefusedError, match=r"1 subject is dead for bank\.account@2"):
            await operation.rebuild(application.carrying, bank.store, bank.view, who="cli")
        assert (await bank.record()).table.version == 1
        done = await operation.rebuild(application.carrying, bank.store, bank.view, who="cli", accepts_parked=True)
        assert (done.table, done.parked) == ("bank_account__v2", 1)
        assert await bank.rows() == {("a",): [1], ("b",): []}
        assert [(each.consumer, each.state) for each in await bank.store.parked()] == [(NEW, "dead")]
        told = [(each.who, each.what, each.on) for each in await bank.store.audit()]
        assert told == [
            ("cli", "replace", "bank.account@1"),
            ("cli", "rebuild", "bank.account"),
            ("cli", "rebuild", "bank.account"),
        ]


@both_modes
async def test_a_swap_waits_also_where_the_subject_is_dead_for_the_old_table_and_retried_for_the_new(
    mode: Mode,
) -> None:
    refused = {7}
    async with app(mode=mode, refuses=refused.__contains__).open(IN_MEMORY) as application:
        bank, waited = Bank(application), asyncio.Event()

        def progress(*, at: int, head: int, waiting: Sequence[Parked] = ()) -> None:
            if waiting:
                waited.set()

        await bank.take(begun(), moved(7, 1))
        rebuild = asyncio.create_task(application.carrying.rebuild(bank.view, progress=progress))
        async with asyncio.timeout(60):
            await waited.wait()
        assert not rebuild.done()
        assert {each.consumer for each in await bank.store.parked()} == {"bank.account@1", NEW}
        refused.clear()
        await bank.store.schedule_redrive(NEW, "a", at=application.ports.clock.now_us())
        assert (await rebuild).table.version == 2
        # Whatever became of the old table's own retry, nothing is parked for it now.
        assert (await bank.rows(), await bank.store.parked()) == ({("a",): [7]}, [])


@both_modes
async def test_whoever_waits_for_a_swap_is_told_once_for_what(mode: Mode) -> None:
    refused, said = {7}, list[str]()
    async with app(mode=mode, refuses=refused.__contains__).open(IN_MEMORY) as application:
        bank, reached = Bank(application), asyncio.Semaphore(0)

        def progress(what: str, done: int, total: int) -> None:
            if what == "rebuilding bank.account, which waits":
                reached.release()

        await bank.take(begun(), moved(7, 1))
        rebuild = asyncio.create_task(
            operation.rebuild(
                application.carrying, bank.store, bank.view, who="cli", watch=Watch(progress, said.append)
            )
        )
        async with asyncio.timeout(60):
            for _ in range(5):
                await reached.acquire()
        assert len(said) == 1
        assert said[0].startswith(
            f"bank.account waits until 1 subject parked for {NEW} is handled, first 'a' at position 2, which is tried "
            "again: fold-failed ("
        )
        refused.clear()
        await bank.store.schedule_redrive(NEW, "a", at=application.ports.clock.now_us())
        await rebuild


async def test_a_view_without_a_current_table_is_made_whatever_its_folds_fail_on(tmp_path: Path) -> None:
    settings = in_file(tmp_path)
    async with app(strict=True).open(settings, consume=False) as application:
        await application.log.append([begun(), moved(1, 1)])
    async with app(strict=True, mode="inline", name="shop").open(settings, consume=False) as application:
        bank = Bank(application)
        assert await bank.rows() == {("a",): []}
        assert [each.state for each in await bank.parked()] == ["dead"]


async def test_a_rebuild_that_was_left_is_named_to_the_operator_and_keeps_no_server_from_being_ready() -> None:
    refused, named = {-1}, "nobody builds bank.account@2 any more: `tidings views rebuild bank.account` goes on with it"
    async with app(refuses=refused.__contains__).open(IN_MEMORY) as application:
        bank = Bank(application)
        await bank.take(begun(), moved(1, 1))
        refused.add(1)
        rebuild = await retrying(application)
        assert await problems(application) == {}
        rebuild.cancel()
        await asyncio.gather(rebuild, return_exceptions=True)
        await bank.store.rewind(NEW, to=0)
        assert await problems(application) == {"rebuilds": named}
        await remove(application.log, upto=1)
        assert await problems(application) == {"rebuilds": named}


async def test_what_lacks_removed_events_takes_no_place_and_a_rebuild_that_was_begun_is_taken_away() -> None:
    refused = {-1}
    async with app(refuses=refused.__contains__).open(IN_MEMORY) as application:
        bank = Bank(application)
        await bank.take(begun(), moved(1, 1))
        refused.add(1)
        rebuild = await retrying(application)
        rebuild.cancel()
        await asyncio.gather(rebuild, return_exceptions=True)
        await bank.store.rewind(NEW, to=0)
        await remove(application.log, upto=1)
        with pytest.raises(RefusedError, match=r"tidings views rebuild.* takes it away"):
            await begin(application.log, bank.store, application.services, NEW, who="cli")
        for _ in range(2):
            with pytest.raises(RefusedError, match=r"events up to position 1 were removed .* another name"):
                await application.carrying.rebuild(bank.view)
            assert [record.state for record in await bank.store.views()] == ["current"]
        assert (await bank.rows(), NEW in await bank.store.consumers()) == ({("a",): [1]}, False)


async def test_a_rebuild_under_way_when_events_are_removed_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async with app().open(IN_MEMORY) as application:
        bank, begin_table = Bank(application), Rebuild._begin
        await bank.take(begun(), moved(1, 1))

        async def removed_since(self: Rebuild, view: ViewSpec, before: Standing) -> ViewRecord:
            record = await begin_table(self, view, before)
            await remove(application.log, upto=1)
            return record

        monkeypatch.setattr(Rebuild, "_begin", removed_since)
        with pytest.raises(RefusedError, match=r"events up to position 1 were removed .* another name"):
            await application.carrying.rebuild(bank.view)
        assert [record.state for record in await bank.store.views()] == ["current"]
        assert NEW not in await bank.store.consumers()
