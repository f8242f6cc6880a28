"""Chirp's page in a real browser: a bookmark shows at once, is confirmed, or is taken back with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from tests.browser.axe import violations
from tests.browser.bookmarks import (
    FIRST,
    PUTS,
    SECOND,
    STREAM,
    Chirp,
    bookmark,
    is_confirmed,
    is_shown_only,
    lose,
    lose_the_answer,
    tweet,
)
from tests.browser.conftest import Browsing


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chirp]:
    chirp = Chirp(tmp_path_factory.mktemp("chirp"))
    await chirp.start()
    yield chirp
    await chirp.stop()


@pytest.fixture
def chirp(shared: Chirp, request: pytest.FixtureRequest) -> Chirp:
    """The site, for a user of the test's own."""
    return shared.of(request.node.name.replace("[", "-").rstrip("]"))


async def test_a_bookmark_shows_before_the_server_knows_of_it_and_is_then_confirmed(page: Page, chirp: Chirp) -> None:
    await page.goto(chirp.url)
    may_go = asyncio.Event()

    async def hold(route: Route) -> None:
        await may_go.wait()
        await route.continue_()

    await page.route(PUTS, hold)
    await bookmark(page, FIRST)
    await is_shown_only(page, FIRST)
    await expect(page.locator("#count")).to_have_text("1 of 5, 1 not confirmed yet")
    assert await chirp.asked() == []
    may_go.set()
    await is_confirmed(page, FIRST)
    await expect(page.locator("#count")).to_have_text("1 of 5")
    assert await chirp.kept() == ["page-1"]


async def test_what_is_refused_is_taken_back_with_its_reason_and_the_focus_stays(page: Page, chirp: Chirp) -> None:
    await page.goto(chirp.url)
    for n in range(5):
        await bookmark(page, n)
        await is_confirmed(page, n)
    sixth = tweet(page, 5)
    reason = "All 5 of your bookmarks are taken: remove one first."
    await sixth.get_by_role("button").press("Enter")
    await expect(sixth.get_by_text(reason)).to_be_visible()
    await expect(sixth.get_by_role("button", name="Bookmark", pressed=False)).to_be_focused()
    await expect(page.get_by_role("status")).to_have_text(f"Taken back: {reason}")
    await expect(page.locator("#count")).to_have_text("5 of 5")
    assert len(await chirp.kept()) == 5


async def test_a_slot_that_is_given_back_can_be_used_again(page: Page, chirp: Chirp) -> None:
    await page.goto(chirp.url)
    for n in range(5):
        await bookmark(page, n)
    await bookmark(page, 5)
    await expect(tweet(page, 5).get_by_text("are taken")).to_be_visible()
    await bookmark(page, 0)
    await expect(tweet(page, 0).get_by_role("button", name="Bookmark", pressed=False)).to_be_visible()
    await bookmark(page, 5)
    await is_confirmed(page, 5)
    assert sorted(await chirp.kept()) == ["page-2", "page-3", "page-4", "page-5", "page-6"]


async def test_a_tweet_that_its_author_deletes_is_marked_and_can_be_had_no_more(page: Page, chirp: Chirp) -> None:
    await page.goto(chirp.url)
    await chirp.say("tweet-posted", "posted", tweet_id="page-9", author_id="chirp", text="Soon gone")
    await expect(tweet(page, "Soon gone")).to_be_visible()
    await chirp.say("tweet-deleted", "deleted", tweet_id="page-9")
    await expect(tweet(page, "Soon gone").get_by_text("deleted by its author")).to_be_visible()
    await bookmark(page, "Soon gone")
    await expect(tweet(page, "Soon gone").get_by_text("The tweet was deleted.")).to_be_visible()
    assert await chirp.kept() == []


async def test_a_request_that_a_reload_cut_off_is_sent_again(page: Page, chirp: Chirp) -> None:
    await page.goto(chirp.url)
    await page.route(PUTS, lose)
    await bookmark(page, FIRST)
    await is_shown_only(page, FIRST)
    assert await chirp.asked() == []
    await page.unroute(PUTS)
    await page.reload()
    await is_confirmed(page, FIRST)
    assert await chirp.asked() == ["page-1"]


async def test_a_request_whose_answer_is_lost_is_done_once_however_often_it_is_sent(page: Page, chirp: Chirp) -> None:
    await page.route(STREAM, lose)
    await page.goto(chirp.url)
    await page.route(PUTS, lose_the_answer)
    async with page.expect_event("requestfailed", lambda request: request.method == "PUT"):
        await bookmark(page, FIRST)
    await is_shown_only(page, FIRST)
    await page.unroute(PUTS)
    await page.unroute(STREAM)
    await page.reload()  # what came of it stands in the log already
    await is_confirmed(page, FIRST)
    assert await chirp.asked() == ["page-1"]
    assert await chirp.kept() == ["page-1"]


async def test_a_second_tab_sees_what_the_first_one_does(chirp: Chirp, browsing: Browsing) -> None:
    first, second = await browsing(), await browsing()
    await first.goto(chirp.url)
    await second.goto(chirp.url)
    await expect(second.get_by_text("Connected", exact=True)).to_be_visible()
    await bookmark(first, FIRST)
    await is_confirmed(second, FIRST)
    await bookmark(second, FIRST)
    await expect(tweet(first, FIRST).get_by_role("button", name="Bookmark", pressed=False)).to_be_visible()
    await expect(first.locator("#count")).to_have_text("0 of 5")


async def test_another_user_sees_nothing_of_it(chirp: Chirp, browsing: Browsing) -> None:
    first, other = await browsing(), await browsing()
    await first.goto(chirp.url)
    await other.goto(chirp.of("somebody-else").url)
    await bookmark(first, FIRST)
    await is_confirmed(first, FIRST)
    await bookmark(other, SECOND)
    await is_confirmed(other, SECOND)
    await expect(other.locator("#count")).to_have_text("1 of 5")


async def test_a_stream_that_the_server_refuses_is_opened_again_where_it_ended(page: Page, chirp: Chirp) -> None:
    refused = 0

    async def refuse_once(route: Route) -> None:
        nonlocal refused
        refused += 1
        await (route.fulfill(status=503) if refused == 1 else route.continue_())

    await page.route(STREAM, refuse_once)
    await page.goto(chirp.url)
    await bookmark(page, FIRST)
    await is_confirmed(page, FIRST)
    assert refused == 2


async def test_a_read_that_fails_is_made_again_and_is_no_end_of_the_page(page: Page, chirp: Chirp) -> None:
    await page.goto(chirp.url)
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    failed = asyncio.Event()

    async def fail_once(route: Route) -> None:
        if failed.is_set():
            await route.continue_()
        else:
            failed.set()
            await route.fulfill(status=500)

    await page.route("**/tidings/views/bookmarks/bookmark/**", fail_once)
    await bookmark(page, FIRST)
    await is_confirmed(page, FIRST)
    await bookmark(page, SECOND)
    await is_confirmed(page, SECOND)
    assert failed.is_set()


async def test_a_lost_connection_goes_on_without_missing_anything(page: Page, tmp_path: Path) -> None:
    chirp = Chirp(tmp_path)
    await chirp.start()
    try:
        await page.goto(chirp.url)
        await expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        await chirp.kill()
        await expect(page.get_by_text("Not connected")).to_be_visible()
        await bookmark(page, FIRST)
        await is_shown_only(page, FIRST)
        await page.route(STREAM, lose)  # it comes back, and much happens before the page is there again
        await chirp.start()
        await chirp.say("bookmark-requested", "elsewhere", tweet_id="page-2", user_id="you")
        await chirp.say("tweet-posted", "new", tweet_id="new", author_id="chirp", text="Said meanwhile")
        await page.unroute(STREAM)
        await is_confirmed(page, FIRST)
        await is_confirmed(page, SECOND)
        await expect(tweet(page, "Said meanwhile")).to_be_visible()
        await expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    finally:
        await chirp.stop()


async def test_a_server_that_has_lost_its_log_is_read_anew(page: Page, tmp_path: Path) -> None:
    chirp = Chirp(tmp_path)
    await chirp.start()
    try:
        await page.goto(chirp.url)
        await bookmark(page, FIRST)
        await is_confirmed(page, FIRST)
        await chirp.kill()
        for file in tmp_path.glob("chirp.db*"):
            file.unlink()
        await chirp.start()
        await expect(page.locator("#count")).to_have_text("0 of 5")
        await bookmark(page, SECOND)
        await is_confirmed(page, SECOND)
    finally:
        await chirp.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nobody_is_kept_out_in_any_state(chirp: Chirp, browsing: Browsing, scheme: str) -> None:
    page = await browsing(color_scheme=scheme, viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    await page.goto(chirp.url)
    for n in range(6):
        await bookmark(page, n)
    await expect(tweet(page, 5).get_by_text("are taken")).to_be_visible()
    await page.route(PUTS, lose)
    await bookmark(page, 0)
    await bookmark(page, 6)
    await is_shown_only(page, 6)
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_page_allows_its_own_script_and_style_and_nothing_else(chirp: Chirp) -> None:
    async with aiohttp.ClientSession() as session, session.get(chirp.url) as answer:
        policy = answer.headers["content-security-policy"]
        text = await answer.text()
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "<style" not in text
    assert "style=" not in text
