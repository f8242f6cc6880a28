"""Reconciliation in the console, in a real browser: how far a copy is proved, runs, and approving what one holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Browsing
from tests.browser.reconciling import NASTY, Reconciled, reconciled
from tests.browser.test_console_endpoints import OUTSIDE
from tests.browser.test_console_pages import BROKEN, COVERED, CUT_OFF, SIZES


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path) -> AsyncIterator[Reconciled]:
    async with reconciled(tmp_path) as found:
        yield found


@pytest.mark.parametrize(("colours", "size"), [("light", "wide"), ("dark", "at 400 %")])
async def test_no_page_of_reconciliation_keeps_anybody_out(
    made: Reconciled, browsing: Browsing, colours: str, size: str
) -> None:
    page = await browsing(color_scheme=colours, viewport=SIZES[size], bypass_csp=True)
    plan = f"/reconciliation/till-orders/{made.plan.id}"
    pages = ("/", "/reconciliation", "/reconciliation/till-orders", plan, made.page, f"{made.page}?kind=extra")
    for path in pages:
        await page.goto(made.shop.url + path)
        assert await violations(page) == [], path
        too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await page.evaluate(too_wide), f"{path} scrolls sideways {size}"
        assert await page.evaluate(CUT_OFF) == [], f"{path} cuts off buttons {size}"
        assert await page.evaluate(OUTSIDE) == [], f"{path} cuts off what a table holds {size}"
        assert await page.evaluate(COVERED) == [], f"{path} covers labels {size}"
        assert size != "wide" or await page.evaluate(BROKEN) == [], f"{path} breaks times"


async def test_what_a_run_holds_is_found_from_the_first_page_and_approved_by_keyboard(
    made: Reconciled, page: Page
) -> None:
    await page.goto(f"{made.shop.url}/")
    await page.get_by_role("main").get_by_role("link", name="till-orders", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Run of till-orders held")
    await expect(page.get_by_text("12 items are not in the list any more")).to_be_visible()
    field = page.get_by_label("Deletes at most")
    await field.focus()
    await page.keyboard.type("3")  # fewer than it holds: the browser itself refuses
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Run of till-orders held")
    await field.fill("12")
    await field.press("Enter")
    await expect(page.get_by_role("status")).to_have_text(
        "Everything is listed once more, and what is gone is deleted."
    )
    for _ in range(100):
        if await page.get_by_role("heading", level=1).text_content() == "Run of till-orders done":
            break
        await page.reload()
    await expect(page.locator("dl.figures div").filter(has_text="Deletes")).to_contain_text("12")
    assert set(made.provider.items) >= {"o20", NASTY}


async def test_a_run_shows_what_it_found_by_kind(made: Reconciled, page: Page) -> None:
    await page.goto(f"{made.shop.url}/reconciliation/till-orders/{made.plan.id}")
    await expect(page.get_by_role("table").locator("tbody tr")).to_have_count(31)
    await expect(page.get_by_role("table")).to_contain_text(NASTY)
    await expect(page.get_by_role("navigation", name="Kinds")).to_contain_text("missing 31")
    await page.goto(f"{made.shop.url}{made.page}?kind=stale")
    await expect(page.get_by_role("table").locator("tbody tr")).to_have_count(1)
    await page.get_by_role("table").get_by_role("link", name="o20").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("order-seen")


async def test_a_plan_is_begun_from_the_page_of_a_scope(made: Reconciled, page: Page) -> None:
    await page.goto(f"{made.shop.url}/reconciliation/till-orders")
    await page.get_by_role("button", name="Plan").click()
    await expect(page.get_by_role("status")).to_have_text("till-orders is planned as soon as its process looks.")
    await expect(page.locator("h1")).to_contain_text("Run of till-orders")


async def test_the_consumer_that_keeps_a_copy_is_declared_and_is_not_replayed(made: Reconciled, page: Page) -> None:
    await page.goto(f"{made.shop.url}/consumers")
    await expect(page.get_by_role("main")).to_contain_text("orders.till-orders")
    await expect(page.get_by_text("not declared here")).to_have_count(0)
    await page.goto(f"{made.shop.url}/consumers/orders.till-orders")
    await expect(page.get_by_text("tidings reconcile run till-orders")).to_be_visible()
    await expect(page.get_by_role("button", name="Replay")).to_have_count(0)
