"""A delivery's page shows each of its attempts, and cancels it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.console.browsing import Browser, browsing_a_shop, key
from tidings.store.deliveries import Delivery
from tidings.store.reason import Reason


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    """A dead call `k-1`, and one that waits, `k-2`, of a service that nobody here carries."""
    async with browsing_a_shop(tmp_path, is_busy=False) as made:
        store = made.shop.opened.store
        async with store.unit() as unit:
            await unit.intend([Delivery(key=f"k-{n}", service="mail", function="post", payload=b"1") for n in (1, 2)])
        [claimed] = await store.claim_deliveries(owner="o", services=["mail"], limit=1, ttl=timedelta(minutes=1))
        await store.settle_delivery(claimed, Reason(kind="handler-failed", error="OSError: <b>no</b>", next_at=None))
        yield made


async def test_each_attempt_is_shown_with_its_outcome(browser: Browser) -> None:
    assert "/console/deliveries/k-1" in (await browser.get("/deliveries")).text
    page = await browser.get("/deliveries/k-1")
    assert (page.status, "handler-failed OSError: <b>no</b>" in page.words) == (200, True), page.words
    assert "No attempt of it is kept" in (await browser.get("/deliveries/k-2")).words
    assert (await browser.get("/deliveries/k-3")).status == 404


async def test_attempts_before_and_after_a_retry_are_told_apart_by_their_round(browser: Browser) -> None:
    store = browser.shop.opened.store
    await browser.change("/deliveries/k-1", "/deliveries/retry", key="k-1")
    for _ in range(2):
        for claimed in await store.claim_deliveries(owner="o", services=["mail"], limit=2, ttl=timedelta(minutes=1)):
            await store.settle_delivery(claimed, Reason(kind="handler-failed", error="OSError: no", next_at=0))
    page = await browser.get("/deliveries/k-1")
    rows = re.findall(r'data-label="Round"[^>]*>(\d+).*?data-label="Attempt"[^>]*>(\d+)', page.text)
    assert rows == [("1", "1"), ("2", "1"), ("2", "2")]


async def test_a_delivery_is_cancelled_for_a_reason_that_the_audit_shows(browser: Browser) -> None:
    done = await browser.change("/deliveries/k-2", "/deliveries/cancel", key="k-2", reason="by phone")
    assert done.status == 303
    page = await browser.get("/deliveries?state=cancelled")
    assert ("k-2 is cancelled" in page.words, "/console/deliveries/k-2" in page.text) == (True, True)
    audit = (await browser.get("/dead")).words
    assert "console cancel k-2" in audit, audit
    assert "by phone" in audit


async def test_who_may_only_look_is_offered_no_change(browser: Browser) -> None:
    token = await key(browser.shop, "deliveries:read")
    await browser.change("/", "/login", key=token)
    page = await browser.get("/deliveries/k-1")
    assert ("Attempts" in page.words, "Cancel" in page.words) == (True, False)
