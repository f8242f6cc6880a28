"""The console in a real browser: what each page shows, and that everybody can use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from tests.browser.axe import violations
from tests.browser.conftest import Browsing
from tests.browser.shop import ORDERS, OrderPlaced, Shop, busy_shop, open_shop
from tidings import App, Context, NotRetryable, Service

PAGES = (
    "/",
    "/log",
    "/log?type=order-paid",
    "/log?type=nothing-such",
    "/event?source=%2Fweb&id=placed-o-1004",
    "/consumers",
    "/consumers/shipping",
    "/consumers/orders.order@1",
    "/views",
    "/views/orders.order",
    "/views/orders.placed?where-order_id=o-1001",
    "/dead",
    "/dead?state=retrying",
    "/dead/subject?consumer=shipping&subject=o-1004",
    "/deliveries",
    "/versions",
    "/versions/order-paid",
    "/catalog",
    "/catalog/order-paid",
    "/nowhere",
)
SIZES = {"wide": {"width": 1280, "height": 800}, "at 400 %": {"width": 320, "height": 256}}

# Buttons in tables that reach out of what is seen of the table.
CUT_OFF = """() => [...document.querySelectorAll(".table:not(.wide) button")].filter((button) =>
  button.getBoundingClientRect().right > button.closest(".table").getBoundingClientRect().right
).map((button) => button.textContent)"""
# Times that are broken over lines.
BROKEN = """() => [...document.querySelectorAll("main time")].filter((time) => {
  const range = document.createRange();
  range.selectNodeContents(time);
  return new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size > 1;
}).map((time) => time.textContent)"""
# Names that are broken elsewhere than between their parts, with what stands before the break.
TORN = r"""() => [...document.querySelectorAll(".name a, .name code")].flatMap((name) => {
  const range = document.createRange(), torn = [], walker = document.createTreeWalker(name, NodeFilter.SHOW_TEXT);
  let before = "", top = null;
  while (walker.nextNode()) for (let n = 0; n < walker.currentNode.length; n += 1) {
    range.setStart(walker.currentNode, n);
    range.setEnd(walker.currentNode, n + 1);
    const at = Math.round(range.getBoundingClientRect().top);
    if (top !== null && at > top && !/[._@-]$/.test(before)) torn.push(before);
    top = at;
    before += walker.currentNode.data[n];
  }
  return torn;
})"""
# Tables that are wider than their place, which cuts them off.
OVER = """() => [...document.querySelectorAll(".table:not(.wide) > table")].filter((table) =>
  table.getBoundingClientRect().width > table.parentElement.clientWidth + 1
).map((table) => table.caption?.textContent)"""
# Cells of cards whose text begins where the label beside it has not ended.
COVERED = """() => [...document.querySelectorAll(".cards [data-label]")].filter((cell) => {
  const label = getComputedStyle(cell, "::before");
  return label.position === "absolute" && parseFloat(getComputedStyle(cell).paddingLeft) < parseFloat(label.width);
}).map((cell) => cell.dataset.label)"""


@pytest_asyncio.fixture(loop_scope="session")
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with busy_shop(tmp_path) as made:
        yield made


@pytest.mark.parametrize(("colours", "size"), [("light", "wide"), ("dark", "at 400 %")])
async def test_no_page_keeps_anybody_out(shop: Shop, browsing: Browsing, colours: str, size: str) -> None:
    page = await browsing(color_scheme=colours, viewport=SIZES[size], bypass_csp=True)  # axe itself needs more
    found = {}
    for path in PAGES:
        await page.goto(shop.url + path)
        found[path] = await violations(page)
        too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await page.evaluate(too_wide), f"{path} scrolls sideways {size}"
        assert await page.evaluate(CUT_OFF) == [], f"{path} cuts off buttons {size}"
        assert await page.evaluate(COVERED) == [], f"{path} covers labels {size}"
        assert size != "wide" or await page.evaluate(BROKEN) == [], f"{path} breaks times over lines"
    assert found == {path: [] for path in PAGES}


async def test_no_button_is_cut_off_while_a_subject_is_tried_again(browsing: Browsing, tmp_path: Path) -> None:
    app = App(slow := Service("shipping_by_road_and_rail"))

    @slow.on(OrderPlaced)
    async def book(event: OrderPlaced, ctx: Context) -> None:
        raise ConnectionError("the carrier's booking service did not answer within ten seconds")

    page = await browsing(viewport=SIZES["wide"])
    async with open_shop(tmp_path, app) as shop:
        await shop.order(f"order-{'0123456789-' * 6}", "x", "DE", 1)
        while not await shop.opened.store.parked():
            await shop.opened.ports.clock.sleep(0.02)
        await page.goto(f"{shop.url}/dead")
        await expect(page.get_by_text("next try")).to_be_visible()
        assert await page.evaluate(CUT_OFF) == []
        assert await page.evaluate(BROKEN) == []


@pytest.mark.parametrize("width", [1280, 1024, 320])
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_long_names_are_broken_between_their_parts_alone(
    browsing: Browsing, tmp_path: Path, colours: str, width: int
) -> None:
    app = App(slow := Service("shipping_by_road_and_rail"))

    @slow.view(key=("order_id",))
    class OutstandingNotices:
        order_id: str

    @slow.fold(OutstandingNotices, OrderPlaced)
    def noted(row: OutstandingNotices | None, event: OrderPlaced) -> OutstandingNotices:
        return OutstandingNotices(event.order_id)

    @slow.on(OrderPlaced)
    async def book(event: OrderPlaced, ctx: Context) -> None:
        raise NotRetryable("the carrier's booking service did not know the consignment's country of destination")

    page = await browsing(viewport={"width": width, "height": 800}, color_scheme=colours)
    async with open_shop(tmp_path, app) as shop:
        await shop.order(f"order-{'0123456789-' * 6}", "x", "DE", 1)
        while not await shop.opened.store.parked():
            await shop.opened.ports.clock.sleep(0.02)
        [entry] = (await shop.opened.log.read(after=0, limit=1)).entries
        event = f"/event?source={quote(entry.envelope.source, safe='')}&id={quote(entry.envelope.id, safe='')}"
        for path in ("/consumers", "/dead", "/views", "/", event):
            await page.goto(shop.url + path)
            assert await page.locator(".name").count() > 0, path
            assert await page.evaluate(TORN) == [], path
            assert await page.evaluate(CUT_OFF) == [], path
            assert await page.evaluate(OVER) == [], path


async def test_a_long_error_is_cut_in_a_list_and_whole_on_its_page(browsing: Browsing, tmp_path: Path) -> None:
    app, words = App(slow := Service("shipping")), " ".join(f"word-{n}" for n in range(150))

    @slow.on(OrderPlaced)
    async def book(event: OrderPlaced, ctx: Context) -> None:
        raise NotRetryable(words)

    page = await browsing(viewport=SIZES["wide"], bypass_csp=True)
    async with open_shop(tmp_path, app) as shop:
        await shop.order("o-1", "x", "DE", 1)
        while not await shop.opened.store.parked():
            await shop.opened.ports.clock.sleep(0.02)
        await page.goto(f"{shop.url}/dead")
        assert await violations(page) == []
        box = await page.locator(".error").first.bounding_box()
        assert box is not None
        assert box["height"] < 150
        await page.get_by_role("link", name="o-1").click()
        await expect(page.get_by_text("word-149")).to_be_visible()


async def test_an_empty_application_says_on_each_page_what_to_do_next(browsing: Browsing, tmp_path: Path) -> None:
    page = await browsing(bypass_csp=True)
    async with open_shop(tmp_path, App()) as shop:
        for path in ("/", "/log", "/consumers", "/views", "/dead", "/deliveries", "/versions", "/catalog"):
            await page.goto(shop.url + path)
            await expect(page.locator(".empty").first).to_be_visible()
            assert await violations(page) == []


async def test_the_overview_says_what_needs_somebody(shop: Shop, page: Page) -> None:
    await page.goto(shop.url)
    needs = page.get_by_role("region", name="What needs you")
    await expect(needs.get_by_role("listitem")).to_have_count(2)
    await needs.get_by_role("link", name="1 subject of shipping").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Dead letters")
    await expect(page.get_by_role("row")).to_have_count(2)


async def test_the_log_is_filtered_and_paged(shop: Shop, page: Page) -> None:
    for count in range(60):
        await shop.count("mug", count)
    await page.goto(f"{shop.url}/log")
    await page.get_by_label("Type").fill("stock-counted")
    await page.get_by_role("button", name="Filter").click()
    rows = page.get_by_role("table").locator("tbody tr")
    await expect(rows).to_have_count(50)
    await page.get_by_role("link", name="Older").click()
    await expect(rows).to_have_count(10)  # one of the sixty was there before
    await expect(rows.last).to_contain_text('"count":40')
    await page.get_by_role("link", name="Newest").click()
    await expect(rows).to_have_count(50)
    await page.get_by_label("Subject").fill("no such")
    await page.get_by_label("Subject").press("Enter")
    await expect(page.get_by_text("No entry matches.")).to_be_visible()


async def test_events_come_live_and_wait_while_the_table_is_in_use(shop: Shop, page: Page) -> None:
    await page.goto(f"{shop.url}/log?subject=mug")
    rows = page.get_by_role("table").locator("tbody tr")
    await expect(rows).to_have_count(1)
    await expect(page.get_by_text("Waiting for events…")).to_be_visible()
    await shop.order("o-2", "x", "DE", 1)  # does not match
    await shop.count("mug", 41)
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text('{"article":"mug","count":41}')
    await expect(page.get_by_role("status")).to_contain_text("1 event came")
    await rows.first.get_by_role("link").focus()
    await shop.count("mug", 42)
    await expect(page.get_by_role("status")).to_contain_text("1 waiting")
    await expect(rows).to_have_count(2)
    await page.get_by_label("Type").focus()
    await expect(rows).to_have_count(3)
    await rows.first.get_by_role("link").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("stock-counted v2")


async def test_following_can_be_stopped_and_goes_on_where_it_stopped(shop: Shop, page: Page) -> None:
    await page.goto(f"{shop.url}/log?subject=mug")
    rows = page.get_by_role("table").locator("tbody tr")
    await shop.count("mug", 41)
    await expect(rows).to_have_count(2)
    following = page.get_by_role("button", name="Follow", pressed=True)
    await following.click()
    await expect(page.get_by_role("button", name="Follow", pressed=False)).to_be_visible()
    await shop.count("mug", 42)
    await shop.settled()
    await expect(rows).to_have_count(2)
    await page.get_by_role("button", name="Follow").click()
    await page.get_by_label("Type").focus()
    await expect(rows).to_have_count(3)


async def test_following_goes_on_after_a_refusal_that_passes(shop: Shop, page: Page) -> None:
    refused = 0

    async def refuse_twice(route: Route) -> None:
        nonlocal refused
        refused += 1
        await (route.fulfill(status=503) if refused <= 2 else route.continue_())

    await page.route("**/log/tail*", refuse_twice)
    await page.goto(f"{shop.url}/log?subject=mug")
    await expect(page.get_by_text("The server does not answer; asking again…")).to_be_visible()
    await shop.count("mug", 41)
    rows = page.get_by_role("table").locator("tbody tr")
    await expect(rows).to_have_count(2)
    await expect(page.get_by_role("status")).to_contain_text("1 event came")


async def test_the_first_event_of_an_empty_log_comes_live(page: Page, tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        await page.goto(f"{shop.url}/log")
        await expect(page.get_by_text("The log is empty.")).to_be_visible()
        await shop.count("mug", 1)
        await expect(page.get_by_role("table").locator("tbody tr")).to_have_count(1)
        await expect(page.get_by_text("The log is empty.")).to_be_hidden()


async def test_an_event_is_shown_whole_with_what_led_to_it_and_what_became_of_it(shop: Shop, page: Page) -> None:
    await page.goto(f"{shop.url}/event?source=%2Fweb&id=placed-o-1001")
    tree = page.get_by_role("region", name="Causes and effects").get_by_role("listitem")
    await expect(tree).to_have_count(3)
    await expect(tree.first.locator("> .node")).to_contain_text("this event")
    await tree.last.get_by_role("link", name="parcel-booked").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("parcel-booked")
    await expect(tree).to_have_count(3)
    await expect(tree.last.locator("> .node")).to_contain_text("this event")
    await expect(page.get_by_label("Data", exact=True).last).to_contain_text('"carrier": "DHL"')
    await expect(page.get_by_role("row", name="orders.order@1")).to_contain_text("settled")
    await expect(page.get_by_text("4 consumers do not read this type: ")).to_contain_text("payments")


async def test_rows_of_a_view_are_filtered_by_any_column(shop: Shop, page: Page) -> None:
    await page.goto(f"{shop.url}/views")
    await page.get_by_role("link", name="orders.order").click()
    rows = page.get_by_role("table").locator("tbody tr")
    await expect(rows).to_have_count(len(ORDERS))
    await page.get_by_label("country").fill("AT")
    await page.get_by_role("button", name="Filter").click()
    await expect(rows).to_have_count(2)
    await expect(rows.last).to_contain_text("مريم")
    await page.get_by_label("total").fill("many")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.get_by_text("Total: 'many' is not a whole number of 64 bits.")).to_be_visible()


async def test_a_view_is_verified_and_the_page_says_so_by_itself(shop: Shop, page: Page) -> None:
    await page.goto(f"{shop.url}/views/orders.order")
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_text("The table equals a refold of the log")).to_be_visible()
    await expect(page.get_by_role("button", name="Verify again")).to_be_visible()


async def test_everything_but_what_comes_live_works_without_javascript(shop: Shop, browsing: Browsing) -> None:
    page = await browsing(java_script_enabled=False)
    await page.goto(f"{shop.url}/log")
    await expect(page.get_by_role("button", name="Follow")).to_be_hidden()
    await page.get_by_role("link", name="parcel-booked").first.click()
    await expect(page.get_by_role("region", name="Attributes")).to_be_visible()
    await page.get_by_role("link", name="Consumers").click()
    await page.get_by_role("link", name="stock", exact=True).click()
    await page.get_by_label("Reason").fill("counting")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("status")).to_have_text("stock is paused.")
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_role("status")).to_have_text("stock goes on where it stood.")
    await page.goto(f"{shop.url}/views/orders.stock")
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_text("The verification of orders.stock was begun.")).to_be_visible()


async def test_the_keyboard_reaches_everything_in_order_and_leaves_it_again(shop: Shop, page: Page) -> None:
    await page.goto(f"{shop.url}/log")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Type")).to_be_focused()
    seen: set[str] = set()
    describe = "(at => `${at.tagName} ${at.href ?? at.id} ${at.dataset.follow ?? at.type}`)(document.activeElement)"
    for _ in range(100):
        await page.keyboard.press("Tab")
        stop = await page.evaluate(describe)
        if stop.startswith("BODY "):
            break
        assert stop not in seen, f"the focus came to {stop} twice"
        seen.add(stop)
    else:
        pytest.fail("the focus never left the page")
    assert sum("/event?" in stop for stop in seen) == 15


async def test_motion_is_left_out_where_it_is_not_wanted(shop: Shop, browsing: Browsing) -> None:
    for wanted, animation in (("reduce", "none"), ("no-preference", "fresh")):
        page = await browsing(reduced_motion=wanted)
        await page.goto(f"{shop.url}/log?type=parcel-booked")
        await expect(page.get_by_text("Waiting for events…")).to_be_visible()
        await shop.order(f"m-{wanted}", "x", "DE", 1)
        await expect(page.locator("tr.fresh")).to_have_css("animation-name", animation)
