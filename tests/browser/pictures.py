"""Take the pictures of the pages that documents show: `python -m tests.browser.pictures`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright, expect

from tests.browser.bookmarks import PUTS, Chirp, bookmark, is_confirmed, is_shown_only, lose, tweet
from tests.browser.chromium import provide
from tests.browser.posting import Posting, posting
from tests.browser.receiving import Receiving, receiving
from tests.browser.shop import Shop, busy_shop
from tests.browser.town import open_town

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
TAKEN = {
    "console-overview": "/",
    "console-log": "/log",
    "console-event": "/event?source=%2Fweb&id=placed-o-1001",
    "console-dead-letters": "/dead/subject?consumer=shipping&subject=o-1004",
}
SIZE = {"width": 1360, "height": 780}


async def take(shop: Shop) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=provide())
        page = await browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        for name, path in TAKEN.items():
            await page.goto(shop.url + path)
            await expect(page.get_by_role("main")).to_be_visible()
            await page.screenshot(path=IMAGES / f"{name}.png")
        await browser.close()


async def take_endpoint(made: Posting) -> None:
    """Take the page of an endpoint that fails."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=provide())
        page = await browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        await page.goto(f"{made.shop.url}/endpoints/down")
        await expect(page.get_by_role("heading", level=1)).to_have_text("down degraded")
        await page.screenshot(path=IMAGES / "console-endpoint.png")
        await browser.close()


async def take_versions(shop: Shop) -> None:
    """Take the page of versions in the middle of a move."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=provide())
        page = await browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        await page.goto(f"{shop.url}/versions")
        await expect(page.get_by_role("img")).to_be_visible()
        await page.screenshot(path=IMAGES / "console-versions.png")
        await browser.close()


async def take_receiver(made: Receiving) -> None:
    """Take the page of a receiver to which something of everything came."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=provide())
        page = await browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        await page.goto(f"{made.shop.url}/receivers/till")
        await expect(page.get_by_role("heading", level=1)).to_have_text("till active")
        await page.screenshot(path=IMAGES / "console-receiver.png")
        await browser.close()


async def take_bookmarks(chirp: Chirp) -> None:
    """Take Chirp's page: bookmarks that are confirmed, one that was taken back, and one that is not confirmed yet."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=provide())
        page = await browser.new_page(viewport={"width": 1120, "height": 780}, color_scheme="light")
        await page.goto(chirp.url)
        for n in range(5):
            await bookmark(page, n)
            await is_confirmed(page, n)
        await bookmark(page, 5)
        await expect(tweet(page, 5).get_by_text("are taken")).to_be_visible()
        await page.route(PUTS, lose)
        await bookmark(page, 4)
        await bookmark(page, 6)
        await is_shown_only(page, 6)
        await page.screenshot(path=IMAGES / "optimistic-page.png", full_page=True)
        await browser.close()


async def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with busy_shop(Path(folder)) as shop:
            await take(shop)
    with tempfile.TemporaryDirectory() as folder:
        async with posting(Path(folder)) as made:
            await take_endpoint(made)
    with tempfile.TemporaryDirectory() as folder:
        async with open_town(Path(folder)) as shop:
            await take_versions(shop)
    with tempfile.TemporaryDirectory() as folder:
        async with receiving(Path(folder)) as came:
            await take_receiver(came)
    with tempfile.TemporaryDirectory() as folder:
        chirp = Chirp(Path(folder))
        await chirp.start()
        try:
            await take_bookmarks(chirp)
        finally:
            await chirp.stop()


if __name__ == "__main__":
    asyncio.run(main())
