"""The changes that an operator makes in the console, made in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Browsing
from tests.browser.shop import OrderPlaced, Shop, busy_shop
from tests.unit.console.browsing import key
from tidings.operations.keys import SCOPES


@pytest_asyncio.fixture(loop_scope="session")
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with busy_shop(tmp_path) as made:
        yield made


async def test_a_consumer_is_paused_for_a_reason_falls_behind_and_catches_up_when_it_is_resumed(
    shop: Shop, page: Page
) -> None:
    await page.goto(f"{shop.url}/consumers/stock")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_label("Reason")).to_be_focused()  # the browser itself asks for it
    await page.get_by_label("Reason").fill("stocktaking until noon")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("status")).to_have_text("stock is paused.")
    await shop.count("mug", 41)
    await page.goto(shop.url)
    await expect(page.get_by_role("listitem").filter(has_text="stocktaking until noon")).to_be_visible()
    await page.get_by_role("region", name="Consumers").get_by_role("link", name="stock", exact=True).click()
    await expect(page.get_by_role("definition").first).to_contain_text("1 ·")
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_role("status")).to_have_text("stock goes on where it stood.")
    await shop.settled()
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_have_text("stock running")


async def test_a_replay_says_what_comes_again(shop: Shop, page: Page) -> None:
    await page.goto(f"{shop.url}/consumers/stock")
    await page.get_by_label("From the entry at position").fill("1")
    await page.get_by_role("button", name="Replay").click()
    await expect(page.get_by_role("status")).to_have_text("stock went back to position 0: 1 entry is before it now.")


async def test_a_dead_subject_is_opened_and_redriven_and_is_parked_again_if_nothing_was_repaired(
    shop: Shop, page: Page
) -> None:
    await page.goto(f"{shop.url}/dead")
    row = page.get_by_role("table", name="Parked subjects").get_by_role("row").filter(has_text="o-1004")
    await expect(row).to_contain_text("no carrier insures a parcel of 12400")
    await page.get_by_role("link", name="o-1004").click()
    await expect(page.get_by_role("table").locator("tbody tr")).to_have_count(1)
    await page.get_by_role("button", name="Redrive").click()
    await expect(page.get_by_role("status")).to_have_text(
        "o-1004 is due now with 1 entry: a running server takes them up."
    )
    while [each.state for each in await shop.opened.store.parked()] != ["dead"]:
        await shop.opened.ports.clock.sleep(0.02)
    await page.reload()
    await expect(row).to_contain_text("no carrier insures")


async def test_an_entry_is_given_up_for_a_reason_and_what_waited_behind_it_goes_on(shop: Shop, page: Page) -> None:
    late = OrderPlaced("o-1004", "Katherine", "DE", 1)
    await shop.opened.publish(late, source="/web", id="again", time=None)
    await shop.settled()
    await page.goto(f"{shop.url}/dead/subject?consumer=shipping&subject=o-1004")
    rows = page.get_by_role("table").locator("tbody tr")
    await expect(rows).to_have_count(3)
    await page.get_by_label("Reason, kept in the audit").fill("the customer cancelled by phone")
    await page.get_by_role("button", name="Drop").click()
    await expect(page.get_by_role("status")).to_contain_text("Given up for shipping: 1 entry at ")
    await page.goto(f"{shop.url}/dead")
    await expect(page.get_by_role("region", name="What operators changed")).to_contain_text(
        "the customer cancelled by phone"
    )
    drops = [each for each in await shop.opened.store.audit() if each.what == "drop"]
    assert [(each.who, each.reason) for each in drops] == [("console", "the customer cancelled by phone")]
    while await shop.opened.store.parked():
        await shop.opened.ports.clock.sleep(0.02)
    await page.goto(f"{shop.url}/dead?kind=handler")
    await expect(page.get_by_text("There is no such dead letter")).to_be_visible()


async def test_a_dead_delivery_is_retried(shop: Shop, page: Page) -> None:
    await page.goto(f"{shop.url}/deliveries")
    await page.get_by_role("link", name="Dead", exact=True).click()
    await expect(page.get_by_role("row").filter(has_text="550 5.1.1 mailbox unavailable")).to_have_count(1)
    await page.get_by_role("button", name="Retry").click()
    await expect(page.get_by_role("status")).to_contain_text("is due now: it is called with the same key.")


async def test_a_page_that_is_older_than_the_server_is_told_to_be_loaded_again(
    shop: Shop, page: Page, tmp_path: Path
) -> None:
    await page.goto(f"{shop.url}/consumers/stock")
    await page.get_by_label("Reason").fill("x")
    await page.locator("input[name=token]").evaluate_all("all => all.forEach(each => each.value = '0'.repeat(64))")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("This was not done")
    await expect(page.get_by_role("main")).to_contain_text("go back, load the page again, and send it once more")


async def test_a_browser_logs_in_with_a_key_and_out_again(shop: Shop, browsing: Browsing) -> None:
    token = await key(shop, *SCOPES)
    page = await browsing(bypass_csp=True, viewport={"width": 360, "height": 640})
    await page.goto(f"{shop.url}/log")
    await page.get_by_label("API key").fill("td_wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("not accepted")
    await expect(page.get_by_label("API key")).to_be_focused()
    assert await violations(page) == []
    await page.get_by_label("API key").fill(token)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    assert await violations(page) == []
    await page.get_by_role("link", name="Log", exact=True).click()
    await expect(page.get_by_text("Waiting for events…")).to_be_visible()
    await page.route("**/log/tail*", lambda route: route.fulfill(status=503))
    await page.reload()
    await page.context.clear_cookies()  # as after a restart of the server: it has forgotten whose page this is
    await expect(page.get_by_text("The server does not let this page go on: load it again.")).to_be_visible()
    await expect(page.get_by_role("button", name="Follow", pressed=False)).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    await page.get_by_label("API key").fill(token)
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
