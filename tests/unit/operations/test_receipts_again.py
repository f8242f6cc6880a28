"""What came to a receiver since a time, replayed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.acceptance.webhooks import JSON, Till, delivery
from tidings import Settings
from tidings.app import Opened
from tidings.app.receiving import receivers_of
from tidings.errors import NotFoundError
from tidings.operations import receipts_again
from tidings.operations.receipts import drop
from tidings.operations.receipts_again import Wanted, replay_since
from tidings.webhooks.intake.translating import arrival_of
from tidings.webhooks.receive.given import Given

ALL = Wanted(since=0)


@asynccontextmanager
async def opened_till(till: Till) -> AsyncIterator[Opened]:
    async with till.app.open(Settings(database_url="sqlite:///:memory:"), consume=False) as opened:
        yield opened


async def came(opened: Opened, till: Till, id: str, *, broken: bool = False, amount: int = 5) -> int:
    till.broken = broken
    request = Given((JSON,), delivery(id, amount=amount))
    kept = await opened.intake.keep(arrival_of(till.receiver, request, opened.making()))
    till.broken = False
    return kept.n


async def ids(opened: Opened) -> list[str]:
    return [entry.envelope.id for entry in (await opened.log.read(after=0, limit=99)).entries]


async def test_all_that_came_since_a_time_is_made_into_events_again_the_oldest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(receipts_again, "PAGE", 2)
    till = Till()
    async with opened_till(till) as opened:
        await came(opened, till, "early")
        since = opened.ports.clock.now_us()
        for n in range(5):
            await came(opened, till, f"evt_{n}", broken=n == 2)
        before = await ids(opened)
        counted = await replay_since(receivers_of(opened), "till", Wanted(since=since, dry_run=True))
        assert (counted.receipts, counted.run, await ids(opened)) == (5, None, before)
        done = await replay_since(receivers_of(opened), "till", Wanted(since=since))
        assert (done.receipts, done.events, list(done.left)) == (5, 5, [])
        mark = f"~{done.run:x}"
        assert (await ids(opened))[len(before) :] == [
            *(f"evt_{n}{mark}" for n in range(2)),
            "evt_2",
            *(f"evt_{n}{mark}" for n in range(3, 5)),
        ]


async def test_what_was_dropped_or_is_in_conflict_is_left_out() -> None:
    till = Till()
    async with opened_till(till) as opened:
        await came(opened, till, "evt_1")
        await came(opened, till, "evt_1", amount=6)
        await drop(opened.store, await came(opened, till, "evt_2", broken=True), reason="a test of theirs", who="cli")
        assert (await replay_since(receivers_of(opened), "till", ALL)).receipts == 1


async def test_what_is_still_no_events_is_told_and_stops_nothing() -> None:
    till = Till()
    async with opened_till(till) as opened:
        pruned = await came(opened, till, "evt_1")
        await opened.store.forget_bodies(before=opened.ports.clock.now_us(), limit=1)
        failed = await came(opened, till, "evt_2", broken=True)
        await came(opened, till, "evt_3")
        till.broken = True
        assert (await replay_since(receivers_of(opened), "till", replace(ALL, dry_run=True))).receipts == 2
        done = await replay_since(receivers_of(opened), "till", ALL)
        assert [n for n, _ in done.left] == [pruned, failed, failed + 1]
        assert ["pruned" in done.left[0][1], "a mistake of ours" in done.left[1][1]] == [True, True]
        till.broken = False
        assert (await replay_since(receivers_of(opened), "till", ALL)).receipts == 2


async def test_a_run_that_was_stopped_goes_on_and_makes_nothing_twice() -> None:
    till = Till()
    async with opened_till(till) as opened:
        for n in range(4):
            await came(opened, till, f"evt_{n}", broken=n == 0)
        began = opened.ports.clock.now_us()

        def dies(what: str, done: int, total: int) -> None:
            if done == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await replay_since(receivers_of(opened), "till", replace(ALL, run=began, progress=dies))
        assert len(await ids(opened)) == 3 + 2
        done = await replay_since(receivers_of(opened), "till", replace(ALL, run=began))
        assert (done.receipts, done.run) == (2, began)
        assert sorted(await ids(opened)) == sorted(
            ["evt_0", *(f"evt_{n}" for n in (1, 2, 3)), *(f"evt_{n}~{began:x}" for n in (1, 2, 3))]
        )


async def test_there_has_to_be_such_a_receiver() -> None:
    async with opened_till(Till()) as opened:
        with pytest.raises(NotFoundError, match="bank"):
            await replay_since(receivers_of(opened), "bank", ALL)
