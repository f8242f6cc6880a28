"""Receivers in the console: what each key may see and change, and what no request makes it do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser.receiving import Receiving, receiving
from tests.unit.console.browsing import Browser, browsing, key
from tests.unit.console.test_login import log_in

RECEIPT = "/receivers/till/receipts/1"


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Receiving]:
    async with receiving(tmp_path) as found:
        yield found


@pytest.fixture
async def browser(made: Receiving) -> AsyncIterator[Browser]:
    async with browsing(made.shop) as browser:
        yield browser


async def test_a_key_that_reads_receivers_sees_no_data_and_changes_nothing(browser: Browser) -> None:
    await log_in(browser, await key(browser.shop, "receivers:read"))
    page = await browser.get(RECEIPT)
    assert (page.status, "which your key may not see" in page.words) == (200, True)
    assert '"amount"' not in page.text
    assert "/console/event" not in page.text
    assert "/console/dead" not in (await browser.get("/receivers/till/receipts/5")).text
    assert "Replay" not in page.words.partition("Body")[2]
    old = await browser.get("/receivers/old")
    assert "Open old again" not in old.words
    refused = await browser.post(f"{RECEIPT}/replay", {"token": (await browser.get("/")).token})
    assert refused.status == 403


async def test_with_the_right_to_data_the_body_is_shown(browser: Browser) -> None:
    await log_in(browser, await key(browser.shop, "receivers:read", "events:read"))
    page = await browser.get(RECEIPT)
    assert "amount" in page.words
    assert "/console/event?source=%2Ftill" in page.text


async def test_a_replay_needs_the_forms_own_nonce(browser: Browser) -> None:
    for nonce in ("", "x", "~" * 16, "0" * 17):
        refused = await browser.change(RECEIPT, f"{RECEIPT}/replay", nonce=nonce)
        assert (refused.status, "load the page again" in refused.words) == (422, True)
    assert (await browser.change(RECEIPT, f"{RECEIPT}/replay", nonce="0" * 16)).status == 303


async def test_what_is_not_there_is_said_to_be_missing(browser: Browser) -> None:
    for path in ("/receivers/nobody", "/receivers/till/receipts/99", "/receivers/graph/receipts/1"):
        assert (await browser.get(path)).status == 404, path
    for path in ("/receivers/till/receipts/x", f"/receivers/till/receipts/{'9' * 30}"):
        assert (await browser.get(path)).status == 400, path
    declared = await browser.change(RECEIPT, "/receivers/till/retire", id="till")
    assert (declared.status, "is declared in tests.acceptance.webhooks" in declared.words) == (409, True)
