"""Giving up what could not be translated."""

from __future__ import annotations

import pytest

from tests.acceptance.webhooks import JSON, Till, delivery
from tidings import Settings
from tidings.errors import CallerError, NotFoundError, RefusedError
from tidings.operations.receipts import drop
from tidings.webhooks.intake.translating import arrival_of
from tidings.webhooks.receive.given import Given


async def test_what_failed_is_given_up_for_a_reason_that_is_kept() -> None:
    till = Till()
    till.broken = True
    async with till.app.open(Settings(database_url="sqlite:///:memory:"), consume=False) as opened:
        request = Given((JSON,), delivery("evt_1"))
        kept = await opened.intake.keep(arrival_of(till.receiver, request, opened.making()))
        with pytest.raises(CallerError, match="why"):
            await drop(opened.store, kept.n, reason=" ", who="cli")
        dropped = await drop(opened.store, kept.n, reason="a test of theirs", who="cli")
        assert (dropped.n, dropped.outcome) == (kept.n, "failed")
        assert await opened.store.count_receipts("failed") == 0
        [noted] = await opened.store.audit()
        assert (noted.what, noted.on, noted.reason, noted.who) == ("drop", "receiver till", "a test of theirs", "cli")
        with pytest.raises(RefusedError):
            await drop(opened.store, kept.n, reason="again", who="cli")
        assert len(await opened.store.audit()) == 1
        with pytest.raises(NotFoundError):
            await drop(opened.store, 99, reason="none", who="cli")
