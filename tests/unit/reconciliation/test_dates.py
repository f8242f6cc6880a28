"""What a process believes of the first `Date` that it sees: it has seen none before to compare it with."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.reconciliation.declared import facts
from tests.unit.reconciliation.shop import SECOND, Shop, shop
from tidings.reconciliation.kept.records import Record
from tidings.reconciliation.listing import Page
from tidings.reconciliation.rules.stamps import AGREEING, Stamps
from tidings.reconciliation.runs.reading import Asking
from tidings.reconciliation.scope import Reconciliation

HOUR = 3_600


async def filled(at: Shop) -> None:
    for number in range(6):
        at.provider.put(f"o{number:02}", number)
    at.pass_time(10)


def new_process(at: Shop) -> Reconciliation:
    """Return the scope as a process has it that has read nothing yet."""
    found = at.other_process()
    running, scope = found._running, at.scope
    running._asking = Asking(scope.scope.listing, scope.budget, Stamps(facts()), running._holding)
    return found


async def run(at: Shop, *, off: int) -> object:
    """Run in a new process while the provider's clock is off by so many seconds."""
    at.provider.skew = off * SECOND
    found = await new_process(at).run("run", applies=True)
    await at.carry()
    return found.state


@pytest.mark.parametrize("off", [HOUR, 10 * 365 * 86_400])
async def test_the_first_date_that_is_far_ahead_is_no_read(off: int) -> None:
    async with shop() as at:
        await filled(at)
        assert await run(at, off=off) == "paused"
        record = await at.scope.record()
        assert record.least < at.clock.now_us()
        assert {fact for fact, _ in record.breaches} == {"clock"}
        why = (await at.scope.runs())[0].why
        assert f"{off - 1:,} s ahead of this machine's clock" in why
        assert (await at.scope.asof()).upserts is None
        assert await run(at, off=0) == "done"
        assert await at.shown() == at.true


async def test_a_clock_that_is_a_little_ahead_is_believed() -> None:
    async with shop() as at:
        await filled(at)
        assert await run(at, off=240) == "done"


async def test_one_wrong_first_date_proves_nothing_that_is_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop() as at:
        await filled(at)
        reads, ask = iter([200 * SECOND]), at.scope.scope.listing.list_page

        async def list_page(*, cursor: str | None, limit: int) -> Page:
            at.provider.skew = next(reads, 0)
            return await ask(cursor=cursor, limit=limit)

        monkeypatch.setattr(at.scope.scope.listing, "list_page", list_page)
        assert (await at.run()).state == "done"
        bounds = await at.scope.asof()
        assert bounds.upserts is not None
        assert bounds.upserts <= at.clock.now_us()
        at.pass_time(20)
        at.provider.put("o01", 99)
        await at.webhook("o01", id="in time")
        await at.carry()
        assert await at.shown() == at.true


async def test_a_new_process_begins_with_what_the_clock_was_off_by() -> None:
    async with shop() as at:
        await filled(at)
        assert await run(at, off=0) == "done"
        told = (await at.scope.asof()).upserts
        at.pass_time(60)
        for off in (200, -HOUR):  # less than what is believed of a scope that was never read
            assert await run(at, off=off) == "paused"
            assert (await at.scope.asof()).upserts == told
        assert await run(at, off=0) == "done"


async def test_a_clock_that_stays_off_is_believed_by_processes_that_run_one_after_the_other() -> None:
    async with shop() as at:
        await filled(at)
        assert await run(at, off=0) == "done"
        assert await run(at, off=200) == "paused"
        at.pass_time(AGREEING / SECOND)
        assert await run(at, off=200) == "done"
        assert await run(at, off=200) == "done"
        assert await run(at, off=0) == "paused"


async def test_a_plan_moves_nothing_that_later_reads_are_dated_by() -> None:
    async with shop() as at:
        await filled(at)
        assert await run(at, off=0) == "done"
        before = await at.scope.record()
        at.pass_time(60)
        assert (await new_process(at).run("plan")).state == "done"
        at.provider.skew = 200 * SECOND
        assert (await new_process(at).run("plan")).state == "paused"
        after = await at.scope.record()
        assert _dated(after) == _dated(before)
        assert (await at.scope.asof()).upserts == before.least


async def test_a_plan_of_a_scope_that_was_never_run_moves_nothing_either() -> None:
    async with shop() as at:
        await filled(at)
        at.provider.skew = 200 * SECOND
        assert (await at.scope.run("plan")).state == "done"
        assert _dated(await at.scope.record()) == _dated(Record())
        assert (await at.scope.asof()).upserts is None
        at.provider.skew = 0
        assert (await at.run()).state == "done"  # in the same process


async def test_what_was_proved_of_a_time_to_come_dates_no_later_read() -> None:
    async with shop() as at:
        await filled(at)
        async with at.scope._running._holding.open() as (_, book, record):
            await book.write(replace(record, least=at.clock.now_us() + HOUR * SECOND))
        assert await run(at, off=0) == "done"
        told = (await at.scope.asof()).upserts
        assert told is not None
        assert told <= at.clock.now_us()
        assert (await at.scope.record()).least <= at.clock.now_us()


def _dated(record: Record) -> object:
    return record.least, record.line
