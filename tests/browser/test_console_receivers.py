"""Receivers and what came to them in the console, in a real browser, over a server that real requests came to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.acceptance.webhooks import SECRET, delivery
from tests.browser.axe import violations
from tests.browser.conftest import Browsing
from tests.browser.receiving import STATE, Receiving, receiving
from tests.browser.test_console_endpoints import OUTSIDE
from tests.browser.test_console_pages import BROKEN, COVERED, CUT_OFF, SIZES
from tidings.app.receiving import receivers_of

FAILED = 5
"""The number of the first receipt that is no events."""


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path) -> AsyncIterator[Receiving]:
    async with receiving(tmp_path) as found:
        yield found


PAGES = (
    "/",
    "/receivers",
    "/receivers/till",
    "/receivers/till?outcome=failed&from=2020-01-01T00:00:00Z",
    "/receivers/till?outcome=dropped",
    "/receivers/old",
    "/receivers/quiet",
    "/receivers/till/receipts/1",
    "/receivers/till/receipts/4",
    f"/receivers/till/receipts/{FAILED}",
    "/receivers/graph/receipts/7",
    f"/dead/letter?name=receipt:till:{FAILED}",
)


@pytest.mark.parametrize(("colours", "size"), [("light", "wide"), ("dark", "at 400 %")])
async def test_no_page_of_receivers_keeps_anybody_out(
    made: Receiving, browsing: Browsing, colours: str, size: str
) -> None:
    page = await browsing(color_scheme=colours, viewport=SIZES[size], bypass_csp=True)
    for path in PAGES:
        await page.goto(made.shop.url + path)
        assert await violations(page) == [], path
        too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await page.evaluate(too_wide), f"{path} scrolls sideways {size}"
        assert await page.evaluate(CUT_OFF) == [], f"{path} cuts off buttons {size}"
        assert await page.evaluate(OUTSIDE) == [], f"{path} cuts off what a table holds {size}"
        assert await page.evaluate(COVERED) == [], f"{path} covers labels {size}"
        assert size != "wide" or await page.evaluate(BROKEN) == [], f"{path} breaks times"


async def test_the_list_counts_what_came_and_what_was_refused(made: Receiving, page: Page) -> None:
    await page.goto(f"{made.shop.url}/receivers")
    rows = page.get_by_role("table").locator("tbody tr")
    await expect(rows).to_have_count(4)
    till = rows.filter(has_text="/till")
    for name, figure in (("Stored", 3), ("Repeats", 1), ("Conflicts", 1), ("Failed", 2), ("Refused", 3)):
        await expect(till.locator(f"[data-label={name}]")).to_have_text(str(figure))
    await expect(rows.filter(has_text="/old")).to_contain_text("retired")
    await page.goto(f"{made.shop.url}/receivers/till")
    figures = page.locator("dl.figures").first
    await expect(figures).to_contain_text("Stored")
    await expect(figures).to_contain_text("Failed")
    await page.go_back()
    await till.locator("[data-label=Refused] a").click()
    refused = page.get_by_role("table", name="Requests that it refused")
    await expect(refused).to_contain_text("no-matching-signature")
    await expect(refused.get_by_role("row", name="missing-header")).to_contain_text("2")
    assert SECRET not in await page.content()


async def test_the_overview_names_whom_nothing_comes_to(made: Receiving, page: Page) -> None:
    acts = receivers_of(made.shop.opened)
    while "quiet" not in await acts.silent():
        await made.shop.opened.ports.clock.sleep(0.05)
    await page.goto(made.shop.url)
    await page.get_by_role("listitem").filter(has_text="nothing came").get_by_role("link", name="quiet").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("silent")


async def test_receipts_are_filtered_and_paged(made: Receiving, page: Page) -> None:
    for n in range(10, 65):
        await made.send(delivery(f"evt_{n}", order=f"o-{n}"))
    await page.goto(f"{made.shop.url}/receivers/till")
    rows = page.get_by_role("table", name="Receipts").locator("tbody tr")
    await expect(rows).to_have_count(50)
    seen = await rows.locator("th").all_inner_texts()
    await page.get_by_role("link", name="Next").click()
    await expect(rows).to_have_count(11)
    assert not set(seen) & set(await rows.locator("th").all_inner_texts())
    await page.get_by_role("link", name="Failed").click()
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("a mistake of ours")
    await page.get_by_label("and before, UTC").fill("2020-01-01T00:00:00Z")
    await page.get_by_label("and before, UTC").press("Enter")
    await expect(page.get_by_text("No receipt matches.")).to_be_visible()
    for wrong in ("from=soon", "after=x", "outcome=fine", "colour=red"):
        await page.goto(f"{made.shop.url}/receivers/till?{wrong}")
        await expect(page.get_by_role("heading", level=1)).to_have_text("This cannot be read")
    await page.goto(f"{made.shop.url}/receivers/nobody")
    await expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")


async def test_a_receipt_shows_its_request_as_text_and_leads_to_its_events(made: Receiving, page: Page) -> None:
    await page.goto(f"{made.shop.url}/receivers/till")
    await page.get_by_role("table", name="Receipts").get_by_role("link", name="1", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Receipt 1 stored")
    await expect(page.get_by_role("main")).to_contain_text("POST /hooks/till")
    await expect(page.locator(".headers")).to_contain_text("stripe-signature")
    await expect(page.locator("pre")).to_contain_text(r"<img src=x onerror=\"alert(1)\"> \u202eno")
    await expect(page.locator("main img")).to_have_count(0)
    await expect(page.get_by_text("2 times, last")).to_be_visible()
    await page.get_by_role("link", name="order-paid").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("order-paid")
    await expect(page.get_by_role("main")).to_contain_text("evt_1")
    await page.get_by_role("link", name="1 of till").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Receipt 1 stored")


async def test_a_secret_that_a_provider_sends_in_the_body_is_hidden(made: Receiving, page: Page) -> None:
    await page.goto(f"{made.shop.url}/receivers/graph/receipts/7")
    await expect(page.locator("pre")).to_contain_text('"clientState": "***"')
    assert STATE not in await page.content()


async def test_a_conflict_is_told_from_what_came_first(made: Receiving, page: Page) -> None:
    await page.goto(f"{made.shop.url}/receivers/till/receipts/4")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Receipt 4 conflict")
    await expect(page.get_by_role("main")).to_contain_text("An id in it came before with other content")


async def test_what_failed_is_replayed_once_the_translation_is_repaired(made: Receiving, page: Page) -> None:
    made.till.broken = True
    await page.goto(f"{made.shop.url}/receivers/till/receipts/{FAILED}")
    await page.get_by_role("button", name="Replay").click()
    await expect(page.get_by_role("status")).to_have_text(f"The receipt {FAILED} is still no events.")
    made.till.broken = False
    await page.get_by_role("button", name="Replay").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text(f"The receipt {FAILED} is translated again: 1 event.")
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Receipt {FAILED} stored")
    [last, *_] = await made.shop.opened.store.audit()
    assert (last.what, last.who, last.subject) == ("redrive", "console", f"receipt {FAILED}")


async def test_a_replay_that_is_sent_twice_is_one(made: Receiving, page: Page) -> None:
    await page.goto(f"{made.shop.url}/receivers/till/receipts/2")
    button = page.get_by_role("button", name="Replay")
    await page.locator("form[action$=replay]").evaluate("form => form.target = '_blank'")
    for _ in range(2):
        async with page.expect_popup() as other:
            await button.click()
        tab = await other.value
        await expect(tab.get_by_role("status")).to_contain_text("is translated again: 1 event")
        await tab.close()
    page_ = await made.shop.opened.log.read(after=0, limit=100)
    assert len([each for each in page_.entries if each.envelope.id.startswith("evt_2")]) == 2


async def test_a_dead_letter_of_a_receipt_leads_to_it_and_back(made: Receiving, page: Page) -> None:
    await page.goto(f"{made.shop.url}/receivers/till/receipts/{FAILED}")
    await page.get_by_role("link", name=f"receipt:till:{FAILED}").click()
    await expect(page.get_by_role("main")).to_contain_text("could not be read as events")
    await expect(page.get_by_text("Behind it")).to_have_count(0)
    await page.get_by_role("link", name="the receipt").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Receipt {FAILED} failed")


async def test_all_that_failed_of_a_receiver_is_redriven_together(made: Receiving, page: Page) -> None:
    await page.goto(f"{made.shop.url}/receivers/till?outcome=failed")
    await page.get_by_role("link", name="dead letters of till").click()
    await expect(page.get_by_label("Receiver")).to_have_value("till")
    await page.get_by_role("button", name="Redrive all 2").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Dead letters")
    assert not await made.shop.opened.store.receipts("till", outcome="failed")


async def test_a_receiver_is_retired_by_who_writes_its_id_and_opened_again(made: Receiving, page: Page) -> None:
    await page.goto(f"{made.shop.url}/receivers/quiet")
    await page.get_by_label("Its id, to confirm").fill("quit")
    await page.get_by_role("button", name="Retire quiet").click()
    await expect(page.get_by_role("main")).to_contain_text("To retire it, write its id, 'quiet', into the field.")
    await page.goto(f"{made.shop.url}/receivers/quiet")
    await page.get_by_label("Its id, to confirm").fill("quiet")
    await page.get_by_role("button", name="Retire quiet").click()
    await expect(page.get_by_role("status")).to_contain_text("quiet is retired")
    assert await made.send(b"{}", to="quiet") == 410
    await page.get_by_role("button", name="Open quiet again").click()
    await expect(page.get_by_role("status")).to_contain_text("quiet takes webhooks again")
    assert await made.send(b"{}", to="quiet") == 401
    await page.goto(f"{made.shop.url}/receivers/till")
    await expect(page.get_by_role("button", name="Retire")).to_have_count(0)  # it is changed where it is declared


async def test_what_is_pruned_is_said_to_be(made: Receiving, page: Page) -> None:
    await made.shop.opened.store.forget_bodies(before=2**60, limit=99)
    await page.goto(f"{made.shop.url}/receivers/till/receipts/1")
    await expect(page.get_by_text("are not kept any more")).to_be_visible()
    await expect(page.get_by_role("button", name="Replay")).to_have_count(0)


async def test_a_form_that_is_not_of_this_page_changes_nothing(made: Receiving, page: Page) -> None:
    await page.goto(f"{made.shop.url}/receivers/till/receipts/2")
    await page.locator("form[action$=replay] input[name=token]").evaluate("field => field.value = 'x'")
    await page.get_by_role("button", name="Replay").click()
    await expect(page.get_by_role("main")).to_contain_text("The form is not from a page")
    assert (await made.shop.opened.store.receipts(limit=9))[-2].replays == 0


async def test_all_of_it_works_without_a_script(made: Receiving, browsing: Browsing) -> None:
    page = await browsing(java_script_enabled=False)
    await page.goto(f"{made.shop.url}/receivers/till/receipts/{FAILED}")
    await page.get_by_role("button", name="Replay").click()
    await expect(page.get_by_role("status")).to_contain_text("is translated again")
