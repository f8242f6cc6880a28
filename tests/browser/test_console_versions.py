"""The console's pages of versions and of the catalog, in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Browsing
from tests.browser.shop import Shop
from tests.browser.town import TYPE, open_town

PAGES = (
    "/versions",
    f"/versions/{TYPE}",
    f"/versions/{TYPE}?to=2",
    "/catalog",
    f"/catalog/{TYPE}",
    "/catalog/tree-grown",
)
SIZES = {"wide": {"width": 1280, "height": 800}, "at 400 %": {"width": 320, "height": 256}}
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
# What tells lines apart where nobody sees colours: the pattern of each.
PATTERNS = """() => Object.fromEntries([...document.querySelectorAll(".legend .flow")].map((line) =>
  [line.getAttribute("class"), getComputedStyle(line).strokeDasharray]))"""
# Words of the picture that lie over each other.
OVER_EACH_OTHER = """() => {
  const words = [...document.querySelectorAll(".drawing text")].map((text) => [text, text.getBoundingClientRect()]);
  const lies = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom - 2 && b.top < a.bottom - 2;
  return words.flatMap(([text, a], n) => words.slice(n + 1).filter(([, b]) => lies(a, b)).map(([other]) =>
    `${text.textContent} and ${other.textContent}`));
}"""
# Names that reach out of their boxes.
OUT_OF_BOX = """() => [...document.querySelectorAll(".drawing .box")].filter((box) => {
  const [rect, text] = ["rect", "text"].map((each) => box.querySelector(each).getBoundingClientRect());
  return text.left < rect.left || text.right > rect.right || text.top < rect.top || text.bottom > rect.bottom;
}).map((box) => box.querySelector("text").textContent)"""


@pytest_asyncio.fixture(loop_scope="session")
async def town(tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_town(tmp_path) as made:
        yield made


@pytest.mark.parametrize(("colours", "size"), [("light", "wide"), ("dark", "at 400 %")])
async def test_no_page_keeps_anybody_out(town: Shop, browsing: Browsing, colours: str, size: str) -> None:
    page = await browsing(color_scheme=colours, viewport=SIZES[size], bypass_csp=True)  # axe itself needs more
    found = {}
    for path in PAGES:
        await page.goto(town.url + path)
        found[path] = await violations(page)
        assert not await page.evaluate(TOO_WIDE), f"{path} scrolls sideways {size}"
    assert found == {path: [] for path in PAGES}


async def test_the_picture_can_be_read_without_colours_and_without_eyes(town: Shop, page: Page) -> None:
    await page.goto(f"{town.url}/versions")
    picture = page.get_by_role("img", name="Who emits and accepts which versions")
    await expect(picture).to_have_accessible_description(
        "lists writes list-extended 1. Whoever is outside writes order-came 1. orders writes order-paid 1. "
        "search writes tree-grown 1. bookmarks writes tweet-bookmarked 2, and has 3, not open yet. "
        "search accepts list-extended 1. users accepts list-extended 1. orders accepts order-came 1. "
        "search accepts order-paid 1. lists accepts tweet-bookmarked 1, 2, not 3. "
        "users accepts tweet-bookmarked 1, 2, 3. The endpoint partner is told of tweet-bookmarked in version 1."
    )
    patterns = await page.evaluate(PATTERNS)
    assert len(patterns) == 4
    assert len(set(patterns.values())) == 4
    assert await page.evaluate(OVER_EACH_OTHER) == []
    assert await page.evaluate(OUT_OF_BOX) == []


async def test_a_type_shows_its_plan_and_what_keeps_it(town: Shop, page: Page) -> None:
    await page.goto(f"{town.url}/versions")
    await page.get_by_role("link", name=f"{TYPE} 2 → 3").click()
    await expect(page.get_by_role("heading", name="The plan to version 3")).to_be_visible()
    plan = page.get_by_role("table", name="Services in the order in which they take it up")
    await expect(page.locator(".drawing .note")).to_have_text(["3 waits for lists", "2 waits", "1 done"])
    rows = plan.locator("tbody tr")
    await expect(rows).to_have_count(3)
    await expect(rows.nth(1)).to_contain_text("r41 × 1: accepts 1 2")
    await expect(rows.nth(2)).to_contain_text("emits 3, writes 2")
    await expect(page.get_by_text("consumer-does-not-accept")).to_be_visible()
    assert await page.evaluate(OVER_EACH_OTHER) == []
    await page.get_by_role("link", name="to 2").click()
    await expect(page.get_by_role("heading", name="The plan to version 2")).to_be_visible()


async def test_a_version_that_ends_says_when_and_where_to_read_on(town: Shop, page: Page) -> None:
    await page.goto(f"{town.url}/versions")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=f"{TYPE} 1, its schema"))
    await expect(row).to_contain_text("deprecated")
    await expect(row).to_contain_text("ends 2027-03-01")
    written = page.get_by_role("row").filter(has=page.get_by_role("link", name=f"{TYPE} 2, its schema"))
    await expect(written).to_contain_text("bookmarks, brought down")
    await expect(row.get_by_role("link", name="how to move on")).to_have_attribute("href", "https://example.org/v3")


async def test_the_catalog_leads_from_a_type_to_its_data_and_its_schema(town: Shop, page: Page) -> None:
    await page.goto(f"{town.url}/catalog")
    await page.get_by_role("link", name="order-came", exact=True).first.click()
    data = page.get_by_role("table", name="The data of version 1")
    await expect(data.get_by_role("row").filter(has_text="count")).to_contain_text("≥ 1; ≤ 99; 1 if left out")
    async with page.expect_response("**/schemas/order-came/1") as answer:
        await page.get_by_role("link", name="JSON Schema").click()
    assert (await (await answer.value).json())["title"] == "order-came 1"
