"""Where there are API keys, a browser shows one, and sees and changes what its scopes say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.console.browsing import Browser, browsing_a_shop, key
from tidings.operations.keys import SCOPES, revoke

SUBJECT = "/dead/subject?consumer=shipping&subject=o-1004"
EVERY_PAGE = ("/", "/log", "/log/tail", "/event?source=/web&id=placed-o-1001", "/consumers", "/consumers/stock",
              "/views", "/views/orders.order", "/dead", SUBJECT, "/deliveries",
              "/receivers", "/receivers/till", "/receivers/till/receipts/1")  # fmt: skip
EVERY_CHANGE = ("/consumers/stock/pause", "/consumers/stock/resume", "/consumers/stock/replay", "/dead/redrive",
                "/dead/redrive-all", "/dead/drop", "/deliveries/retry", "/deliveries/cancel",
                "/views/orders.order/verify", "/receivers/till/retire", "/receivers/till/reopen",
                "/receivers/till/receipts/1/replay")  # fmt: skip


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with browsing_a_shop(tmp_path, is_busy=True) as made:
        yield made


async def log_in(browser: Browser, token: str) -> None:
    shown = (await browser.change("/", "/login", key=token)).status
    assert shown == 303


async def test_once_there_is_a_key_every_page_and_change_asks_for_one(browser: Browser) -> None:
    assert (await browser.get("/log")).status == 200
    token = (await browser.get("/consumers/stock")).token
    await key(browser.shop, *SCOPES)
    for path in EVERY_PAGE:
        page = await browser.get(path)
        assert (page.status, "This server has API keys" in page.words) == (401, True), path
        assert "o-1004" not in page.text
        assert "shipping" not in page.text
    for path in EVERY_CHANGE:
        assert (await browser.post(path, {"token": token, "reason": "x"})).status == 401, path


async def test_a_key_opens_the_pages_until_it_is_revoked_or_the_browser_logs_out(browser: Browser) -> None:
    token = await key(browser.shop, *SCOPES)
    await browser.get("/")
    before = browser.cookies["tidings-console"]
    await log_in(browser, token)
    assert browser.cookies["tidings-console"] != before
    assert token not in str(browser.cookies)
    page = await browser.get("/")
    assert page.status == 200
    assert token not in page.text
    assert "Key of" in page.text
    assert (await browser.change("/", "/logout")).status == 303
    assert (await browser.get("/")).status == 401
    await log_in(browser, token)
    await revoke(browser.shop.opened.store, browser.shop.opened.ports, token.split("_")[1], who="cli")
    while await browser.shop.opened.admission.of_token(token) is not None:
        await browser.shop.opened.ports.clock.sleep(0.02)
    assert (await browser.get("/")).status == 401


async def test_a_wrong_key_is_told_and_one_for_some_sources_is_not_taken(browser: Browser) -> None:
    narrow = await key(browser.shop, "events:read", sources=("/web",))
    for wrong in ("", "td_0_0", narrow[:-1] + "!", "x" * 10_000):
        page = await browser.change("/", "/login", key=wrong)
        assert (page.status, "not accepted" in page.words) == (401, True)
    page = await browser.change("/", "/login", key=narrow)
    assert (page.status, "shows" in page.words) == (422, True)
    assert (await browser.get("/log")).status == 401


async def test_where_there_are_keys_a_form_of_another_origin_is_refused_whatever_that_looks_like(
    browser: Browser,
) -> None:
    token = await key(browser.shop, *SCOPES)
    form = (await browser.get("/")).token
    for origin in (
        "http://[::1",
        "http://evil.example",
        f"{browser.origin}x",
        f"ftp://{browser.origin[7:]}",
        "null",
        "",
    ):
        refused = await browser.post("/login", {"token": form, "key": token}, origin=origin)
        assert (refused.status, "another site's page" in refused.words) == (403, True), origin


async def test_pages_and_changes_are_those_of_the_keys_scopes(browser: Browser) -> None:
    await log_in(browser, await key(browser.shop, "dead-letters:read"))
    denied = {path: (await browser.get(path)).status for path in EVERY_PAGE}
    assert [path for path, status in denied.items() if status == 200] == ["/", "/dead", SUBJECT]
    assert set(denied.values()) == {200, 403}
    token = (await browser.get("/")).token
    for path in EVERY_CHANGE:
        page = await browser.post(path, {"token": token, "reason": "x", "position": "1", "consumer": "shipping"})
        assert (page.status, "this needs a key with the scope".lower() in page.words.lower()) == (403, True), path
    subject = await browser.get(SUBJECT)
    assert "12400}" not in subject.words  # data of events is a right of its own
    assert "Drop" not in subject.words


async def test_versions_are_seen_by_a_scope_of_their_own(browser: Browser) -> None:
    await log_in(browser, await key(browser.shop, "versions:read"))
    assert [(await browser.get(path)).status for path in ("/versions", "/consumers")] == [200, 403]


async def test_the_first_page_shows_what_the_key_may_see(browser: Browser) -> None:
    await log_in(browser, await key(browser.shop, "events:read"))
    page = await browser.get("/")
    assert "order-placed" in page.words
    assert "payments" not in page.words.partition("Last events")[0]
    assert "Dead deliveries" not in page.words


async def test_no_link_leads_where_the_key_may_not_go(browser: Browser) -> None:
    await log_in(browser, await key(browser.shop, "consumers:read"))
    for path in ("/", "/consumers", "/consumers/shipping"):
        page = await browser.get(path)
        assert (page.status, "/console/dead" in page.text) == (200, False), path
    assert "1 subject of shipping" in (await browser.get("/")).words


async def test_a_change_says_in_the_servers_log_whose_key_made_it(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    token = await key(browser.shop, *SCOPES)
    await log_in(browser, token)
    with caplog.at_level("INFO", "tidings.console"):
        await browser.change("/consumers/stock", "/consumers/stock/pause", reason="counting")
    assert f"/console/consumers/stock/pause by ops (key {token.split('_')[1]})" in caplog.text
    assert token not in caplog.text


async def test_where_there_are_no_keys_the_servers_log_says_so_in_words(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "tidings.console"):
        await browser.change("/consumers/stock", "/consumers/stock/pause", reason="counting")
    assert "/console/consumers/stock/pause by someone on this machine, without a key" in caplog.text
