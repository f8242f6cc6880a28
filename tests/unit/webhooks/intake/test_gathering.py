"""Which requests share a transaction."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import cast

from tests.acceptance.webhooks import JSON, Till, delivery
from tidings import Settings
from tidings.app import Opened
from tidings.store.claims import Claim
from tidings.store.driver import StoreDriver
from tidings.store.through import Through
from tidings.store.unit import Unit
from tidings.webhooks.intake.intake import Intake, Kept
from tidings.webhooks.intake.translating import arrival_of
from tidings.webhooks.receive.given import Given

LATEST = 4  # turns


class _Counted(Through[StoreDriver]):
    units = 0

    def unit(self, *claims: Claim) -> AbstractAsyncContextManager[Unit]:
        self.units += 1
        return self._inner.unit(*claims)


async def _came(taking: Intake, till: Till, opened: Opened, id: str, turns: int) -> Kept:
    for _ in range(turns):
        await asyncio.sleep(0)
    return await taking.keep(arrival_of(till.receiver, Given((JSON,), delivery(id)), opened.making()))


async def test_who_comes_a_few_turns_of_the_loop_later_goes_along() -> None:
    till = Till()
    async with till.app.open(Settings(database_url="sqlite:///:memory:"), consume=False) as opened:
        store = _Counted(opened.store)
        taking = Intake(cast(StoreDriver, store), opened.ports, opened.retelling)
        kept = await asyncio.gather(*(_came(taking, till, opened, f"evt_{n}", n) for n in range(LATEST + 1)))
        assert [each.outcome for each in kept] == ["stored"] * (LATEST + 1)
        assert store.units == 1
        await _came(taking, till, opened, "evt_late", 0)
        assert store.units == 2
        await taking.close()
