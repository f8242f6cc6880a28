"""Partner forgets a share of what it took, and lists the rest, as Chirp's adapter reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from chirp.sent import PartnerTaken

from tidings.demo.parties import GOOD, compare_partner
from tidings.demo.partner_taken import LAG_SECONDS, TakenList, is_forgotten
from tidings.reconciliation.listing import Row
from tidings.testing.clock import StandingClock

IDS = [f"msg_{n:04}" for n in range(400)]


@asynccontextmanager
async def partner(clock: StandingClock) -> AsyncIterator[tuple[TakenList, PartnerTaken]]:
    """Serve what Partner lists; the adapter asks it."""
    taken, served = TakenList(clock), web.Application()
    served.add_routes(taken.routes())
    runner = web.AppRunner(served)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield taken, PartnerTaken(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


async def listed(adapter: PartnerTaken) -> list[Row]:
    rows: list[Row] = []
    cursor: str | None = None
    while True:
        page = await adapter.list_page(cursor=cursor, limit=100)
        assert page.server_date is not None
        rows += page.rows
        cursor = page.next_cursor
        if cursor is None:
            return rows


async def test_what_partner_took_is_listed_in_pages_once_it_shows_it_but_for_what_it_forgot() -> None:
    clock = StandingClock()
    async with partner(clock) as (taken, adapter):
        for id in IDS:
            taken.keep(id, id.encode())
        assert await listed(adapter) == []
        clock.move(clock.now_us() + int(LAG_SECONDS * 1_000_000))
        forgotten = {id for id in IDS if is_forgotten(id)}
        assert 0.02 < len(forgotten) / len(IDS) < 0.1
        assert [row.key for row in await listed(adapter)] == sorted(set(IDS) - forgotten)
        assert taken.lost == taken.forgotten == forgotten
        lost, kept = min(forgotten), min(set(IDS) - forgotten)
        assert (await adapter.get_one(lost)).row is None
        found = (await adapter.get_one(kept)).row
        assert found is not None
        assert len(found.state["sha256"]) == 64


async def test_what_comes_again_is_kept() -> None:
    clock = StandingClock()
    async with partner(clock) as (taken, adapter):
        lost = next(id for id in IDS if is_forgotten(id))
        for _ in range(2):
            taken.keep(lost, b"{}")
        clock.move(clock.now_us() + 1_000_000)
        assert [row.key for row in await listed(adapter)] == [lost]
        assert (taken.forgotten, taken.lost) == ({lost}, set())


def test_what_partner_forgot_and_did_not_get_again_is_wrong() -> None:
    said = {"taken": {GOOD: {"a": 2}}, "ways": {}, "forged": 0, "followed": 0, "backwards": []}
    right = compare_partner({"a"}, {**said, "forgotten": ["a"], "lost": []}, Counter(delivered=1))
    wrong = compare_partner({"a"}, {**said, "forgotten": ["a"], "lost": ["a"]}, Counter(delivered=1))
    assert (right.right, wrong.right, wrong.detail) == (True, False, "forgotten: a")
    assert "1 event answered with 200 and then forgotten, all but 0 found and sent again" in right.found
