"""Endpoints and deliveries to them in the console, in a real browser, with a real party that they lead to."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Browsing
from tests.browser.posting import NASTY, Posting, posting
from tests.browser.shop import ORDERS
from tests.browser.test_console_pages import COVERED, CUT_OFF, SIZES
from tests.unit.webhooks.deliver.desk import always

BROKEN = """() => [...document.querySelectorAll("time")].filter((each) =>
  each.offsetParent && each.getClientRects().length > 1).map((each) => each.textContent)"""


OUTSIDE = """() => [...document.querySelectorAll(".table time, .table button, .table a")].filter((each) =>
  each.getBoundingClientRect().right > each.closest(".table").getBoundingClientRect().right
).map((each) => each.textContent)"""


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Posting]:
    monkeypatch.setattr("tidings.webhooks.deliver.addresses.REFUSED", ())  # so that what this machine answers is shown
    async with posting(tmp_path) as found:
        yield found


async def paths(made: Posting) -> tuple[str, ...]:
    [dead, *_] = await made.shop.opened.store.last_deliveries("down", limit=1)
    return (
        "/endpoints",
        "/endpoints/fine",
        "/endpoints/down",
        "/endpoints/gone",
        "/deliveries",
        "/deliveries?endpoint=fine&type=order-placed",
        "/deliveries?endpoint=fine&reason=none",
        f"/deliveries/{dead['key']}",
        "/",
    )


@pytest.mark.parametrize(("colours", "size"), [("light", "wide"), ("dark", "at 400 %")])
async def test_no_page_of_endpoints_keeps_anybody_out(
    made: Posting, browsing: Browsing, colours: str, size: str
) -> None:
    page = await browsing(color_scheme=colours, viewport=SIZES[size], bypass_csp=True)
    await made.shop.opened.endpoints.rotate("fine")
    for path in await paths(made):
        await page.goto(made.shop.url + path)
        for each in await page.locator("summary").all():
            await each.click()
        assert await violations(page) == [], path
        too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await page.evaluate(too_wide), f"{path} scrolls sideways {size}"
        assert await page.evaluate(CUT_OFF) == [], f"{path} cuts off buttons {size}"
        assert await page.evaluate(OUTSIDE) == [], f"{path} cuts off what a table holds {size}"
        assert await page.evaluate(COVERED) == [], f"{path} covers labels {size}"
        assert size != "wide" or await page.evaluate(BROKEN) == [], f"{path} breaks times"


async def test_the_list_says_how_each_endpoint_fares(made: Posting, page: Page) -> None:
    await made.shop.opened.endpoints.add({"via": "poll"}, id="dev")
    await page.goto(f"{made.shop.url}/endpoints")
    rows = page.get_by_role("table").locator("tbody tr")
    await expect(rows).to_have_count(5)
    await expect(rows.filter(has_text="dev").locator("th")).to_have_text("dev polled")
    gone = rows.filter(has_text="/gone")
    await expect(gone).to_contain_text("disabled")
    await expect(rows.filter(has_text="/hangs").locator("[data-label=Pending]")).to_have_text("5")
    await expect(rows.filter(has_text="/down").locator("[data-label=Dead]")).to_have_text("5")
    await gone.get_by_role("link", name="gone", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("gone disabled")


async def test_an_endpoint_shows_its_configuration_its_pins_and_no_secret(made: Posting, page: Page) -> None:
    await page.goto(f"{made.shop.url}/endpoints/fine")
    await expect(page.get_by_text("told in version 1")).to_be_visible()
    await expect(page.get_by_role("table", name="Those that sign")).to_contain_text("s1")
    await expect(page.get_by_role("table", name="Deliveries to it").locator("tbody tr")).to_have_count(5)
    await page.goto(f"{made.shop.url}/endpoints/down")
    await expect(page.get_by_role("main")).to_contain_text('"x-key"')
    assert "hush" not in await page.content()
    assert "whsec_" not in await page.content()


async def test_an_endpoint_is_paused_and_resumed_and_what_was_held_goes(made: Posting, page: Page) -> None:
    await page.goto(f"{made.shop.url}/endpoints/fine")
    await page.get_by_label("Reason").fill("they move <house>")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("status")).to_contain_text("fine is paused")
    await expect(page.get_by_role("heading", level=1)).to_have_text("fine paused")
    await expect(page.get_by_role("main")).to_contain_text("they move <house>")
    await made.shop.order("o-2", "Bo", "DE", 1)
    await made.until("fine", "held")
    await page.goto(made.shop.url)
    needs = page.get_by_role("listitem").filter(has_text="The endpoint fine is sent nothing: they move <house>.")
    await expect(needs).to_contain_text("1 delivery waits for it")
    await needs.get_by_role("link", name="fine").click()
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_role("status")).to_contain_text("fine goes on, with what was held first")
    await made.until("fine", "delivered", 6)


async def test_what_is_dead_is_counted_first_and_then_made_again(made: Posting, page: Page) -> None:
    await page.goto(f"{made.shop.url}/endpoints/down")
    await page.get_by_label("Since (RFC 3339)").fill("2026-01-01T00:00:00Z")
    await page.get_by_role("button", name="Count what is dead").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("5 deliveries to down")
    assert (await made.shop.opened.endpoints.show("down")).backlog.dead == 5  # nothing was changed yet
    made.party.answer = always(200)
    await page.get_by_role("button", name="Recover 5 deliveries").click()
    await expect(page.get_by_role("status")).to_have_text("5 deliveries are made again for down, oldest first.")
    await made.until("down", "delivered", 5)
    await page.goto(f"{made.shop.url}/endpoints/down")
    await page.get_by_role("button", name="Count what is dead").click()
    await expect(page.get_by_text("Nothing of it is dead there.")).to_be_visible()


async def test_a_replay_is_counted_first_sends_what_is_missing_or_all_and_is_one_run(made: Posting, page: Page) -> None:
    await page.goto(f"{made.shop.url}/endpoints/fine")
    await page.get_by_role("button", name="Count the events").click()
    await expect(page.get_by_text("Its pattern takes no entry there that it was not sent.")).to_be_visible()
    await page.get_by_role("link", name="Back to fine").click()
    await page.get_by_label("Only those that were never delivered").uncheck()
    await page.get_by_label("From the entry at position").fill("1")
    await page.get_by_role("button", name="Count the events").click()
    button = page.get_by_role("button", name="Replay 5 deliveries")
    await page.locator("form[action$=replay]").evaluate("form => form.target = '_blank'")
    async with page.expect_popup() as other:
        await button.click()
    tab = await other.value
    await expect(tab.get_by_role("status")).to_have_text("5 deliveries are added for fine from the log.")
    await tab.close()
    await made.until("fine", "delivered", 10)
    await page.locator("form[action$=replay]").evaluate("form => form.target = ''")
    await button.click()  # once more, by the same form
    await expect(page.get_by_role("status")).to_have_text("0 deliveries are added for fine from the log.")
    await page.get_by_label("From the entry at position").fill("1")
    await page.get_by_label("Or from what was recorded").fill("2026-01-01T00:00:00Z")
    await page.get_by_role("button", name="Count the events").click()
    await expect(page.get_by_role("main")).to_contain_text("Give a time or a position, one of them.")


async def test_a_new_secret_is_shown_once_and_the_old_one_is_revoked(made: Posting, page: Page) -> None:
    await page.goto(f"{made.shop.url}/endpoints/fine")
    await page.get_by_label("Hours, 0 to 168").fill("2")
    await page.get_by_role("button", name="Make a new secret").click()
    await expect(page.get_by_role("definition").filter(has_text=re.compile("^whsec_"))).to_have_count(1)
    await expect(page.get_by_role("status")).to_contain_text("s2 signs from now on.")
    await page.get_by_role("link", name="fine").click()
    assert "whsec_" not in await page.content()
    secrets = page.get_by_role("table", name="Those that sign").locator("tbody tr")
    await expect(secrets).to_have_count(2)
    await page.get_by_role("button", name="Revoke s1").click()
    await expect(page.get_by_role("status")).to_have_text("s1 signs no more.")
    await expect(secrets).to_have_count(1)


async def test_a_test_event_is_sent(made: Posting, page: Page) -> None:
    await page.goto(f"{made.shop.url}/endpoints/fine")
    await page.get_by_role("button", name="Send a test event").click()
    await expect(page.get_by_role("status")).to_contain_text("A test event is on its way to fine")
    await made.until("fine", "delivered", type="endpoint.test")
    await page.reload()
    await expect(page.get_by_role("table", name="Deliveries to it")).to_contain_text("endpoint.test")


async def test_an_endpoint_is_removed_by_who_writes_its_id(made: Posting, page: Page) -> None:
    await page.goto(f"{made.shop.url}/endpoints/hangs")
    await page.get_by_label("Its id, to confirm").fill("hang")
    await page.get_by_role("button", name="Remove hangs").click()
    await expect(page.get_by_role("main")).to_contain_text("To remove it, write its id, 'hangs', into the field.")
    await page.goto(f"{made.shop.url}/endpoints/hangs")
    await page.get_by_label("Its id, to confirm").fill("hangs")
    await page.get_by_role("button", name="Remove hangs").click()
    await expect(page.get_by_role("status")).to_have_text("hangs is removed; 5 open deliveries were cancelled.")
    await page.goto(f"{made.shop.url}/endpoints/hangs")
    await expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")


async def test_deliveries_are_filtered_and_paged(made: Posting, page: Page) -> None:
    for n in range(110):
        await made.shop.order(f"p-{n}", "Bo", "DE", 1)
    await made.until("fine", "delivered", len(ORDERS) + 110)  # one that moves would stand on both pages
    await page.goto(f"{made.shop.url}/deliveries")
    await page.get_by_label("Endpoint").fill("fine")
    await page.get_by_role("button", name="Filter").click()
    rows = page.get_by_role("table").locator("tbody tr")
    await expect(rows).to_have_count(100)
    seen = await rows.locator(".key").all_inner_texts()
    await page.get_by_role("link", name="Next").click()
    await expect(page.get_by_role("link", name="First")).to_be_visible()
    assert not set(seen) & set(await rows.locator(".key").all_inner_texts())
    await page.get_by_label("Subject").fill("o-1001")
    await page.get_by_label("Subject").press("Enter")
    await expect(rows).to_have_count(1)
    await page.get_by_role("link", name="Dead", exact=True).click()
    await expect(page.get_by_text("No delivery matches.")).to_be_visible()
    await page.get_by_role("link", name="All", exact=True).click()
    await page.get_by_label("Intended from, UTC").fill("yesterday")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("This cannot be read")


async def test_each_attempt_shows_what_was_answered_as_text(made: Posting, page: Page) -> None:
    await page.goto(f"{made.shop.url}/deliveries?endpoint=down&state=dead")
    await page.get_by_role("table").locator("tbody tr").first.locator(".key").click()
    tries = page.get_by_role("table").locator("tbody tr")
    await expect(tries).to_have_count(2)
    await expect(tries.first.locator("[data-label=Status]")).to_have_text("500")
    await expect(tries.first.locator("[data-label=Address]")).to_contain_text("127.0.0.1:")
    await page.get_by_text("What was answered").first.focus()
    await page.keyboard.press("Enter")
    await expect(tries.first.locator(".headers")).to_contain_text("x-traceabc<b>")
    await expect(tries.first.locator("pre")).to_contain_text(NASTY.replace("\u202e", "\\u202e"))
    await expect(page.locator("main img")).to_have_count(0)


async def test_a_dead_delivery_to_an_endpoint_is_retried_and_one_that_is_open_cancelled(
    made: Posting, page: Page
) -> None:
    [dead, *_] = await made.shop.opened.store.last_deliveries("down", limit=1)
    await page.goto(f"{made.shop.url}/deliveries/{dead['key']}")
    await page.get_by_role("button", name="Retry").click()
    await expect(page.get_by_role("status")).to_contain_text("is due now")
    [open_, *_] = await made.shop.opened.store.last_deliveries("hangs", limit=1)
    await page.goto(f"{made.shop.url}/deliveries/{open_['key']}")
    await page.get_by_label("Reason, kept in the audit").fill("not wanted")
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("status")).to_contain_text("is cancelled")


async def test_all_of_it_works_without_a_script(made: Posting, browsing: Browsing) -> None:
    page = await browsing(java_script_enabled=False)
    await page.goto(f"{made.shop.url}/endpoints/down")
    await page.get_by_role("button", name="Count what is dead").click()
    await page.get_by_role("button", name="Recover 5 deliveries").click()
    await expect(page.get_by_role("status")).to_contain_text("made again")
